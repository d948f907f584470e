//! Bytes that are given by the first place which has them right.

use super::account::Sought;
use crate::digest::Digest;
use crate::error::Error;
use crate::form::mend::{Failed, Got, Mend, Spot, is_right};
use crate::form::seek::Store;
use crate::progress::Progress;
use crate::source::Held;

/// Why nothing more is done.
pub(super) enum Stop {
    Here(Error),
    Cancelled,
}

/// Who put bytes there that were right already when it was their turn.
pub(super) const MEANWHILE: &str = "who put it there meanwhile";

/// A place that has something under a digest, as it was typed.
pub(super) type Candidate = (String, Held);

/// Which places have something under the name of a digest that `look` takes, and why the others are not asked.
pub(super) fn seek(
    digest: &Digest,
    stores: &[Store],
    look: impl Fn(&Store, Held) -> Result<Option<Held>, Error>,
) -> (Vec<Candidate>, Vec<Sought>) {
    let (mut candidates, mut sought) = (Vec::new(), Vec::new());
    for store in stores {
        let place = store.place().to_owned();
        let found = match store.named(digest).map(|held| look(store, held)) {
            Some(Ok(Some(held))) => {
                candidates.push((place, held));
                continue;
            }
            Some(Ok(None)) => "has other bytes there".to_owned(),
            Some(Err(error)) => format!("cannot be read: {error}"),
            None => "does not have it".to_owned(),
        };
        sought.push(Sought { place, found });
    }
    (candidates, sought)
}

/// Puts a blob where it belongs, or reads it where nothing is to be written: the place that it comes from, or else where it was
/// sought.
pub(super) fn given<M: Mend + ?Sized>(
    to: Option<&M>,
    spot: &Spot<'_>,
    digest: &Digest,
    candidates: &[Candidate],
    progress: &dyn Progress,
) -> Result<Result<String, Vec<Sought>>, Stop> {
    let mut sought = Vec::new();
    for (place, held) in candidates {
        let got = held.reader().map_err(|error| Failed::There(std::io::Error::other(error)));
        let got = got.and_then(|mut from| match to {
            None => is_right(&mut from, digest, progress),
            Some(to) => to.blob(spot, (digest, held.size()), &mut from, progress),
        });
        let found = match got {
            Ok(Got::Right) => return Ok(Ok(place.clone())),
            Ok(Got::Already) => return Ok(Ok(MEANWHILE.to_owned())),
            Ok(Got::Changed(now)) => {
                sought.push(changed(&now));
                break;
            }
            Ok(Got::Others(found)) => format!("has other bytes there: {found}"),
            Err(Failed::There(error)) => format!("cannot be read: {error}"),
            Err(Failed::Here(error)) => return Err(Stop::Here(error)),
            Err(Failed::Cancelled) => return Err(Stop::Cancelled),
        };
        sought.push(Sought { place: place.clone(), found });
    }
    Ok(Err(sought))
}

/// That something else came to stand there.
pub(super) fn changed(now: &str) -> Sought {
    Sought { place: String::new(), found: format!("it changed meanwhile, {now}, and was left so") }
}
