//! The user that an option names, as this machine knows it.

use std::fs;

/// A user and its group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// A name of `/etc/passwd`, or `UID:GID`.
pub(crate) fn parse(text: &str) -> Result<User, String> {
    if let Some((user, group)) = text.split_once(':')
        && let (Ok(user), Ok(group)) = (user.parse(), group.parse())
    {
        return not_root(User { user, group });
    }
    let users =
        fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    match find(&users, text) {
        Some(user) => not_root(user),
        None => Err("/etc/passwd has no such user; UID:GID names one by its numbers".to_owned()),
    }
}

/// Root could do to the server what its own user can.
fn not_root(user: User) -> Result<User, String> {
    match user.user {
        0 => Err("root is the user that clients' code is to be kept from".to_owned()),
        _ => Ok(user),
    }
}

/// As passwd(5) has it: the name, its password, its number, its group's.
fn find(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut numbers = fields.skip(1).map(str::parse);
        Some(User {
            user: numbers.next()?.ok()?,
            group: numbers.next()?.ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_name_of_the_machines_or_two_numbers() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:::\nbroken:x:y\n";
        let nobody = User {
            user: 65_534,
            group: 65_533,
        };
        assert_eq!(find(users, "nobody"), Some(nobody));
        for unknown in ["somebody", "", "x", "broken"] {
            assert_eq!(find(users, unknown), None, "{unknown}");
        }
        assert_eq!(parse("65534:65533"), Ok(nobody));
        for wrong in ["65534", "a:b", "0:0", "root"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
