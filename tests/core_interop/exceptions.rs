//! Exceptions of Rust's at a Python client.

use rpyc_core::Config;

use crate::serving::{run, run_with};
use crate::shop::shop;

#[test]
fn builtin_exceptions_are_of_their_class_with_their_arguments() {
    run(
        shop(),
        r#"
        with raises(ValueError, "('bad value', 7)") as raised:
            getattr(root, "raise")("value")
        same(raised.value.args, ("bad value", 7))
        with raises(KeyError) as raised:
            getattr(root, "raise")("key")
        same(raised.value.args, ("lost",))
        with raises(ValueError, "invalid digit found in string"):
            getattr(root, "raise")("parse")
        "#,
    );
}

/// `[Errno None] None: None -> None`, as of Python's own server, is what a client shows of
/// attributes that are None.
#[test]
fn a_system_error_with_a_text_alone_reads_as_that_text() {
    run(
        shop(),
        r#"
        for kind, error, text in ("system", OSError, "x"), ("io", PermissionError, "not today"):
            with raises(error) as raised:
                getattr(root, "raise")(kind)
            same(str(raised.value).splitlines()[0], text)
            same(raised.value.args, (text,))
            same((raised.value.errno, raised.value.filename), (None, None))
        "#,
    );
}

#[test]
fn an_error_of_the_system_has_errno_and_filename() {
    run(
        shop(),
        r#"
        with raises(FileNotFoundError, "[Errno 2] No such file or directory: '/no/such/file'") as raised:
            getattr(root, "raise")("file")
        same(raised.value.errno, 2)
        same(raised.value.strerror, "No such file or directory")
        same(raised.value.filename, "/no/such/file")
        "#,
    );
}

#[test]
fn a_custom_exception_keeps_its_name_and_its_attributes() {
    run(
        shop(),
        r#"
        with raises(rpyc.core.vinegar.GenericException) as raised:
            getattr(root, "raise")("custom")
        same(type(raised.value).__name__, "shop.OutOfStock")
        same(raised.value.args, ("tea",))
        same(raised.value.until, "Monday")
        "#,
    );
}

#[test]
fn a_custom_exception_of_a_module_that_the_client_has_is_an_instance_of_its_class() {
    run(
        shop(),
        r#"
        import subprocess
        config = {"instantiate_custom_exceptions": True, "import_custom_exceptions": True}
        other = rpyc.connect(HOST, PORT, config=config)
        with raises(subprocess.CalledProcessError) as raised:
            getattr(other.root, "raise")("called")
        same((raised.value.returncode, raised.value.cmd, raised.value.output), (3, "false", None))
        "#,
    );
}

#[test]
fn the_traceback_names_the_method_its_file_and_its_line() {
    run(
        shop(),
        r#"
        with raises(ValueError) as raised:
            getattr(root, "raise")("value")
        text = raised.value._remote_tb
        assert text.startswith("Traceback (most recent call last):\n  File "), text
        assert "shop.rs" in text and "in ShopService.raise" in text, text
        assert "========= Remote Traceback (1) =========" in str(raised.value)
        "#,
    );
}

#[test]
fn tracebacks_and_version_stay_here_where_the_config_says_so() {
    let config = Config::new()
        .include_local_traceback(false)
        .include_local_version(false);
    run_with(
        shop(),
        config,
        r#"
        with raises(ValueError) as raised:
            getattr(root, "raise")("value")
        same(raised.value._remote_tb, "<traceback denied>")
        same(raised.value._remote_version, "<version denied>")
        "#,
    );
}

#[test]
fn what_a_callback_raises_goes_through_rust_back_to_python() {
    run(
        shop(),
        r#"
        def broken(value):
            raise ZeroDivisionError("in the callback", value)
        with raises(ZeroDivisionError) as raised:
            root.apply(broken, 5)
        same(raised.value.args, ("in the callback", 5))
        text = str(raised.value)
        assert "in broken" in text and "in ShopService.apply" in text, text
        assert "========= Remote Traceback (2) =========" in text, text
        "#,
    );
}
