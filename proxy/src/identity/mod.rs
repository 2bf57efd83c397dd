//! Who asks, and which bucket they fall into: step 3 of a request (identify).
//!
//! Pure: cookies, secrets, address, time and random bytes come in as arguments; cookies to set come out as text. What
//! Flask's cookies say is in `session`, what Ficus' own cookies and tokens say in `token`, both come together in
//! `asker`. What is done with a bucket is not here but in `decide`; an identity never leaves this process, logs show the
//! bucket only.

mod asker;
mod recent;
mod session;
mod token;

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

pub use asker::{Asked, Asker, Reader, Scope, TESTER_COOKIE, TESTER_HEADER};
pub use token::{Choice, Refusal, Side, Tokens};

/// How many buckets there are; a percentage of users has a resolution of 0.001.
pub const BUCKETS: u32 = 100_000;

/// The key of the bucket hash. All nodes and all releases must agree on a user's bucket: it never changes.
const KEY: (u64, u64) = (0x6669_6375_735f_6275, 0x636b_6574_735f_7631);

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// A logged-in user: Flask-Login's user id.
    User(String),
    /// A browser that nobody logged in with: the id in its visitor cookie.
    Visitor(String),
    /// Nobody we know: the client's address.
    Address(IpAddr),
}

impl Identity {
    /// The user's bucket in a canary group, from 0 to 99,999.
    pub fn bucket(&self, group: &str) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(KEY.0, KEY.1);
        hasher.write(group.as_bytes());
        match self {
            Self::User(id) => {
                hasher.write(b"\0user\0");
                hasher.write(id.as_bytes());
            }
            Self::Visitor(id) => {
                hasher.write(b"\0visitor\0");
                hasher.write(id.as_bytes());
            }
            Self::Address(address) => {
                hasher.write(b"\0address\0");
                match address.to_canonical() {
                    IpAddr::V4(v4) => hasher.write(&v4.octets()),
                    IpAddr::V6(v6) => hasher.write(&v6.octets()),
                }
            }
        }
        (hasher.finish() % u64::from(BUCKETS)) as u32
    }

    /// The user id, for a logged-in user.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::User(id) => Some(id),
            Self::Visitor(_) | Self::Address(_) => None,
        }
    }

    /// What kind of identity it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Visitor(_) => "visitor",
            Self::Address(_) => "address",
        }
    }
}

/// Personal values stay out of dumps.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User(_) => "User(…)",
            Self::Visitor(_) => "Visitor(…)",
            Self::Address(_) => "Address(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u32) -> Identity {
        Identity::User(id.to_string())
    }

    #[test]
    fn a_bucket_never_changes_between_releases() {
        let visitor = Identity::Visitor("AAAAAAAAAAAAAAAAAAAAAA".to_owned());
        let address = Identity::Address("192.0.2.7".parse().unwrap());
        let buckets = [
            user(7).bucket("customers"),
            user(7).bucket("deals"),
            visitor.bucket("customers"),
            address.bucket("customers"),
        ];
        assert_eq!(buckets, PINNED);
        let mapped = Identity::Address("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(address.bucket("customers"), mapped.bucket("customers"));
    }

    /// Written down once; a release that changes one of these moves people to the other side.
    const PINNED: [u32; 4] = [74_106, 49_489, 49_131, 5_314];

    /// How many of 100,000 identities of one kind are inside a share, against what chance allows: five standard deviations.
    #[track_caller]
    fn check_share(identity: impl Fn(u32) -> Identity, group: &str, below: u32) {
        let asked = f64::from(below) / f64::from(BUCKETS);
        let inside = (0..100_000).filter(|number| identity(*number).bucket(group) < below).count() as f64;
        let expected = 100_000.0 * asked;
        let tolerance = 5.0 * (expected * (1.0 - asked)).sqrt();
        assert!((inside - expected).abs() <= tolerance, "{inside} of 100,000 for {expected}");
    }

    #[test]
    fn a_share_of_100_000_identities_is_as_large_as_asked_for() {
        for below in [100, 5_000, 25_000] {
            for group in ["customers", "customers.list", "a"] {
                check_share(user, group, below);
                check_share(|number| Identity::Visitor(format!("{number:022}")), group, below);
                check_share(
                    |number| Identity::Address(std::net::Ipv4Addr::from(number).into()),
                    group,
                    below,
                );
            }
        }
    }

    #[test]
    fn groups_choose_independently() {
        let both = (0..100_000).filter(|number| {
            let user = user(*number);
            user.bucket("customers") < 25_000 && user.bucket("deals") < 25_000
        });
        let both = both.count();
        assert!((5_900..=6_600).contains(&both), "{both} of 100,000 are in both of two canaries of 25 %");
    }

    #[test]
    fn a_user_and_a_visitor_of_the_same_name_are_two() {
        let visitor = Identity::Visitor("7".to_owned());
        assert_ne!(user(7).bucket("customers"), visitor.bucket("customers"));
    }

    #[test]
    fn a_dump_shows_no_personal_value() {
        assert_eq!(format!("{:?}", Identity::User("ana@example.com".into())), "User(…)");
        assert_eq!(format!("{:?}", Identity::Visitor("abc".into())), "Visitor(…)");
    }
}
