//! What every directory of persons promises.

use std::collections::BTreeSet;

use tenure::loyalty::{AccountId, Directory};

/// Persons whose keys are hard to keep apart or to write down.
pub const HARD_PERSONS: [&str; 9] = [
    "",
    " ",
    "ann@example.com",
    "Ann@example.com",
    "ann@example.com ",
    "m1",
    "日本\u{0}\u{1F600}\r\n\t\"'\\,;",
    "a\u{301}nn",
    "ánn",
];

/// All laws, on a directory in which nobody was ever linked.
pub fn check(directory: &dyn Directory) {
    a_link_leads_both_ways(directory);
    the_forgotten_begin_anew(directory);
    threads_agree(directory);
}

fn a_link_leads_both_ways(directory: &dyn Directory) {
    for person in HARD_PERSONS {
        assert_eq!(directory.account_of(person).unwrap(), None, "{person:?}");
        assert_eq!(directory.unlink(person).unwrap(), None, "{person:?}");
    }
    for (number, person) in (1..).zip(HARD_PERSONS) {
        let account = directory.link(person).unwrap();
        assert_eq!(account.as_str(), format!("m{number}"), "{person:?}");
        assert_eq!(directory.link(person).unwrap(), account, "{person:?}");
    }
    for (number, person) in (1..).zip(HARD_PERSONS) {
        let account = AccountId::from(format!("m{number}"));
        assert_eq!(
            directory.account_of(person).unwrap().as_ref(),
            Some(&account)
        );
        assert_eq!(
            directory.person_of(&account).unwrap().as_deref(),
            Some(person)
        );
    }
    for stranger in ["", "m0", "m10", "m", "ann@example.com"] {
        assert_eq!(directory.person_of(&stranger.into()).unwrap(), None);
    }
}

fn the_forgotten_begin_anew(directory: &dyn Directory) {
    let first = directory.link("once").unwrap();
    let beside = directory.link("beside").unwrap();
    assert_eq!(directory.unlink("once").unwrap().as_ref(), Some(&first));
    assert_eq!(directory.account_of("once").unwrap(), None);
    assert_eq!(directory.person_of(&first).unwrap(), None);
    assert_eq!(directory.unlink("once").unwrap(), None);
    assert_eq!(
        directory.account_of("beside").unwrap().as_ref(),
        Some(&beside)
    );

    // The last account that was given is forgotten, too, and its number is not given again.
    let last = directory.link("last").unwrap();
    directory.unlink("last").unwrap();
    let again = directory.link("once").unwrap();
    assert!(![&first, &beside, &last].contains(&&again), "{again}");
    assert_eq!(
        directory.person_of(&again).unwrap().as_deref(),
        Some("once")
    );
}

fn threads_agree(directory: &dyn Directory) {
    const THREADS: usize = 4;
    const PERSONS: usize = 50;
    let accounts: Vec<Vec<AccountId>> = std::thread::scope(|scope| {
        let link_all = || {
            (0..PERSONS)
                .map(|n| directory.link(&format!("person {n}")).unwrap())
                .collect()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(link_all)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(accounts.iter().all(|of_thread| *of_thread == accounts[0]));
    let distinct: BTreeSet<&AccountId> = accounts[0].iter().collect();
    assert_eq!(distinct.len(), PERSONS);
}

/// What [`check`] left must be there when the store is opened again: run it upon the same store.
pub fn check_reopened(directory: &dyn Directory) {
    for (number, person) in (1..).zip(HARD_PERSONS) {
        let account = AccountId::from(format!("m{number}"));
        assert_eq!(
            directory.account_of(person).unwrap().as_ref(),
            Some(&account)
        );
        assert_eq!(
            directory.person_of(&account).unwrap().as_deref(),
            Some(person)
        );
    }
    assert_eq!(directory.account_of("last").unwrap(), None);
    let known: Vec<AccountId> = ["once", "beside", "person 0", "person 49"]
        .iter()
        .filter_map(|person| directory.account_of(person).unwrap())
        .collect();
    assert_eq!(known.len(), 4);
    let new = directory.link("after opening again").unwrap();
    let number = |account: &AccountId| account.as_str()[1..].parse::<u64>().unwrap();
    assert!(known.iter().all(|account| number(account) < number(&new)));
}
