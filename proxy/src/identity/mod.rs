//! Who asks, and which bucket they fall into: step 3 of a request (identify).
//!
//! Pure: the cookie's text, the secret and the address come in as arguments. What is done with a bucket is not
//! here but in `decide`; an identity never leaves this process, logs show the bucket only.

mod session;

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

pub use session::Reader;

/// How many buckets there are; a percentage of users has a resolution of 0.001.
pub const BUCKETS: u32 = 100_000;

/// The key of the bucket hash. All nodes and all releases must agree on a user's bucket: it never changes.
const KEY: (u64, u64) = (0x6669_6375_735f_6275, 0x636b_6574_735f_7631);

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// A logged-in user: Flask-Login's user id.
    User(String),
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
            Self::Address(_) => None,
        }
    }
}

/// Personal values stay out of dumps.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User(_) => "User(…)",
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
        assert_eq!(user(7).bucket("customers"), user(7).bucket("customers"));
        let address = Identity::Address("192.0.2.7".parse().unwrap());
        let mapped = Identity::Address("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(address.bucket("customers"), mapped.bucket("customers"));
        assert_ne!(user(7).bucket("customers"), user(7).bucket("deals"));
    }

    #[test]
    fn buckets_are_spread_evenly() {
        let below = (0..20_000).filter(|id| user(*id).bucket("customers") < BUCKETS / 20).count();
        assert!((900..1_100).contains(&below), "{below} of 20,000 users are in the first 5 %");
    }

    #[test]
    fn a_dump_shows_no_personal_value() {
        assert_eq!(format!("{:?}", Identity::User("ana@example.com".into())), "User(…)");
    }
}
