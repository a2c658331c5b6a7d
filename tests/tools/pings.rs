//! `ping`.

use crate::tool::{on_both, tool};

#[test]
fn pings_are_counted_and_timed() {
    on_both(|peer| {
        let ran = tool(peer, "", &["ping", "-c", "3", "-i", "0.01"]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(ran.out.matches(" time=").count(), 3, "{}", ran.out);
        assert!(
            ran.out
                .contains("3 pings, 3 answers, 0% lost\nmin/avg/p50/p99/max/mdev = "),
            "{}",
            ran.out
        );
        let ran = tool(peer, "", &["ping", "-q", "-c", "2", "-i", "0"]);
        assert!(
            !ran.out.contains("seq=") && ran.out.contains("2 answers"),
            "{}",
            ran.out
        );
    });
}
