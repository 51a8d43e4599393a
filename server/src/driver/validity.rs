//! From when to when a certificate is good, and what to say where that is not now. Pure; looks at the dates only.
//!
//! A server that shows a certificate out of its time is not refused to start: clients may have pinned it, or the clock
//! may be wrong. But all others will refuse the server, so it must not happen quietly.

use std::time::Duration;

use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;
/// Time enough to get another one.
const SOON_S: u64 = 7 * DAY_S;

/// In seconds since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    not_before_s: u64,
    not_after_s: u64,
}

/// How a certificate stands at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Good,
    /// It ends in so many seconds.
    EndsSoon(u64),
    /// It begins in so many seconds.
    NotYet(u64),
    /// It ended so many seconds ago.
    Expired(u64),
}

impl Validity {
    /// Of the first certificate of a chain; `None` where that cannot be told.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        // Whether it is good for a time is the first thing that is looked at, before who has signed it. At the two ends
        // of time it is not, and the answer names the dates.
        let at = |time: Duration| {
            let time = UnixTime::since_unix_epoch(time);
            certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
        };
        let not_before_s = match at(Duration::ZERO) {
            Some(Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
            _ => 0,
        };
        match at(Duration::from_secs(u64::MAX)) {
            Some(Error::CertExpired { not_after, .. }) => {
                Some(Self { not_before_s, not_after_s: not_after.as_secs() })
            }
            _ => None,
        }
    }

    pub(super) fn at(self, now_s: u64) -> Fitness {
        if now_s < self.not_before_s {
            Fitness::NotYet(self.not_before_s - now_s)
        } else if now_s > self.not_after_s {
            Fitness::Expired(now_s - self.not_after_s)
        } else if self.not_after_s - now_s < SOON_S {
            Fitness::EndsSoon(self.not_after_s - now_s)
        } else {
            Fitness::Good
        }
    }
}

impl Fitness {
    /// Whether clients that look at the dates take it.
    pub(super) fn is_in_time(self) -> bool {
        matches!(self, Self::Good | Self::EndsSoon(_))
    }

    /// What the operator has to know.
    pub(super) fn warning(self) -> Option<String> {
        let refused = "clients refuse this server; put another one into its place, which is read by itself";
        match self {
            Self::Good => None,
            Self::EndsSoon(left) => Some(format!("THE CERTIFICATE ENDS SOON, in {}", span(left))),
            Self::NotYet(left) => Some(format!(
                "THE CERTIFICATE IS NOT GOOD YET, only in {} (or this machine's clock is wrong): {refused}",
                span(left)
            )),
            Self::Expired(ago) => Some(format!("THE CERTIFICATE EXPIRED {} ago: {refused}", span(ago))),
        }
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..HOUR_S => format!("{} min", seconds / 60),
        HOUR_S..DAY_S => format!("{} h", seconds / HOUR_S),
        _ => format!("{} days", seconds / DAY_S),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 1_700_000_000;
    const END: u64 = BEGIN + 90 * DAY_S;

    fn certificate(names: &[&str]) -> rcgen::CertificateParams {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        rcgen::CertificateParams::new(names).expect("names")
    }

    fn validity(params: &rcgen::CertificateParams) -> Option<Validity> {
        let key = rcgen::KeyPair::generate().expect("a key");
        Validity::of(params.self_signed(&key).expect("a certificate").der())
    }

    #[test]
    fn the_dates_are_those_in_the_certificate() {
        let mut params = certificate(&["localhost"]);
        params.not_before = rcgen::date_time_ymd(2023, 11, 14);
        params.not_after = rcgen::date_time_ymd(2024, 2, 12);
        let expected = Validity { not_before_s: 1_699_920_000, not_after_s: 1_707_696_000 };
        assert_eq!(validity(&params), Some(expected));
        // An authority's own certificate, and one from before 1970 until far away, have dates too.
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        assert_eq!(validity(&params), Some(expected));
        let far = validity(&certificate(&[])).expect("dates");
        assert_eq!((far.not_before_s / DAY_S / 365, far.at(BEGIN)), (5, Fitness::Good));
        assert_eq!(Validity::of(&CertificateDer::from(vec![1, 2, 3])), None);
    }

    #[test]
    fn in_time_soon_and_out_of_time() {
        let validity = Validity { not_before_s: BEGIN, not_after_s: END };
        for (now, fitness, words) in [
            (BEGIN - 7200, Fitness::NotYet(7200), "NOT GOOD YET, only in 2 h"),
            (BEGIN, Fitness::Good, ""),
            (END - SOON_S, Fitness::Good, ""),
            (END - DAY_S, Fitness::EndsSoon(DAY_S), "ENDS SOON, in 1 days"),
            (END, Fitness::EndsSoon(0), "in 0 min"),
            (END + 3 * DAY_S, Fitness::Expired(3 * DAY_S), "EXPIRED 3 days ago"),
        ] {
            assert_eq!(validity.at(now), fitness);
            assert!(fitness.warning().unwrap_or_default().contains(words), "{fitness:?}");
            assert_eq!(fitness.warning().is_none(), words.is_empty());
            assert_eq!(fitness.is_in_time(), (BEGIN..=END).contains(&now));
        }
    }
}
