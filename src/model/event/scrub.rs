//! Takes personal data and credentials out of events before anything keeps or shows them.

use std::collections::BTreeMap;

use super::Event;
use crate::model::scrub::{Counts, Field, Scrubber};

/// Scrubs id, service, revision, title, address and author of events, and returns how many findings of each kind were
/// replaced.
///
/// Names of services are scrubbed in series by the same rule, so that events still meet them. Ids that become one are kept apart with a number, in
/// the order of the list, so that no event is taken for a repetition of another. Scrubbing again changes nothing.
pub fn scrub(events: &mut [Event], scrubber: &Scrubber) -> Counts {
    let mut counts = Counts::default();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for event in events {
        let mut scrubbed = |field: Field, text: &mut String| {
            let found = scrubber.scrub(field, text);
            if !found.counts.is_empty() {
                counts.add(&found.counts);
                *text = found.text.into_owned();
            }
        };
        scrubbed(Field::Service, &mut event.service);
        scrubbed(Field::Id, &mut event.revision);
        scrubbed(Field::Title, &mut event.title);
        scrubbed(Field::Url, &mut event.url);
        scrubbed(Field::Author, &mut event.author);
        let raw = event.id.clone();
        scrubbed(Field::Id, &mut event.id);
        let name = event.id.clone();
        let mut number = 1;
        while owners.get(&event.id).is_some_and(|owner| *owner != raw) {
            number += 1;
            event.id = format!("{name} #{number}");
        }
        owners.insert(event.id.clone(), raw);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card number that only tests use, put together so that it stands nowhere as a whole.
    fn card() -> String {
        ["4111", "1111", "1111", "1111"].concat()
    }

    #[test]
    fn what_people_wrote_is_scrubbed_and_the_service_stays() {
        let mail = format!("taro{}example.jp", '@');
        let mut event = Event::new(format!("refund-{}", card()), "card-api", 0);
        event.title = format!("Refund {} for {mail}", card());
        event.author = mail.clone();
        event.url = format!("https://user:{}@git.example.com/pull/7", "hunter2secret");
        let mut events = [event];
        let counts = scrub(&mut events, &Scrubber::default());
        assert!(!counts.is_empty());
        let text = format!("{:?}", events[0]);
        assert!(!text.contains(&card()) && !text.contains(&mail) && !text.contains("hunter2secret"), "{text}");
        assert_eq!(events[0].service, "card-api");
        assert!(scrub(&mut events, &Scrubber::default()).is_empty(), "once is enough");
    }

    #[test]
    fn ids_that_become_one_stay_apart() {
        let other = ["5500", "0000", "0000", "0004"].concat();
        let mut events = [Event::new(card(), "a", 0), Event::new(other, "a", 1), Event::new("plain-7", "a", 2)];
        scrub(&mut events, &Scrubber::default());
        assert_ne!(events[0].id, events[1].id);
        assert_eq!(events[2].id, "plain-7");
    }
}
