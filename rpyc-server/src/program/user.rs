//! The user that an option names, as this machine knows it.

/// A user and its group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// A name that the system knows, or `UID:GID`.
pub(crate) fn parse(text: &str) -> Result<User, String> {
    let numbers = text
        .split_once(':')
        .map(|(user, group)| (user.parse(), group.parse()));
    let user = match numbers {
        Some((Ok(user), Ok(group))) => User { user, group },
        _ => match nix::unistd::User::from_name(text) {
            Ok(Some(known)) => User {
                user: known.uid.as_raw(),
                group: known.gid.as_raw(),
            },
            Ok(None) => {
                return Err(
                    "the system has no such user; UID:GID names one by its numbers".to_owned(),
                );
            }
            Err(error) => return Err(format!("the system can't tell the users: {error}")),
        },
    };
    // Root could do to the server what its own user can.
    match user.user {
        0 => Err("root is the user that clients' code is to be kept from".to_owned()),
        _ => Ok(user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_name_of_the_machines_or_two_numbers() {
        let nobody = parse("nobody").expect("every machine has it");
        assert_eq!(
            parse(&format!("{}:{}", nobody.user, nobody.group)),
            Ok(nobody)
        );
        for wrong in ["65534", "a:b", "0:0", "root", "", "no-such-user"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
