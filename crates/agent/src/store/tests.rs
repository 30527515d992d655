use super::*;
use xenon_election::NodeId;

fn record(term: u64) -> Record {
    Record { term, vote: Some(NodeId::new("127.0.0.1:1")), ..Record::default() }
}

const DEADLINE: Duration = Duration::from_secs(10);

async fn save_and_reopen(folder: &Path, terms: &[u64]) -> Option<Record> {
    let (mut store, _) = Store::open(folder).unwrap();
    for term in terms {
        store.save(&record(*term), DEADLINE).await.unwrap();
    }
    drop(store);
    reopen(folder).unwrap()
}

/// The writing thread lets go of the lock a moment after the store is dropped.
fn reopen(folder: &Path) -> Result<Option<Record>, StoreError> {
    for _ in 0..1000 {
        match Store::open(folder) {
            Err(StoreError::Locked { .. }) => std::thread::sleep(Duration::from_millis(1)),
            outcome => return outcome.map(|(_, record)| record),
        }
    }
    panic!("the lock is never let go");
}

fn slot(folder: &Path, slot: u64, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(folder.join(FILE)).unwrap();
    file.write_all_at(bytes, slot * SLOT_BYTES as u64 + at).unwrap();
}

fn damage(folder: &Path, number: u64, at: u64) {
    slot(folder, number, at, b"\xff\xff\xff");
}

#[tokio::test]
async fn s1_what_was_saved_is_read_again() {
    for count in 1..6 {
        let folder = tempfile::tempdir().unwrap();
        let terms: Vec<u64> = (1..=count).collect();
        assert_eq!(save_and_reopen(folder.path(), &terms).await, Some(record(count)));
        // And once more, over what was there.
        assert_eq!(save_and_reopen(folder.path(), &[count + 1]).await, Some(record(count + 1)));
    }
}

#[tokio::test]
async fn a_first_start_has_no_record() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Store::open(&folder.path().join("new")).unwrap().1, None);
}

#[tokio::test]
async fn s2_any_one_damaged_slot_loses_nothing_and_is_mended() {
    for number in 0..4 {
        for at in [0, 9, 13, 17, 25, 30] {
            let folder = tempfile::tempdir().unwrap();
            save_and_reopen(folder.path(), &[1, 2, 3]).await;
            damage(folder.path(), number, at);
            assert_eq!(reopen(folder.path()).unwrap(), Some(record(3)), "slot {number} at {at}");
            // The third save went to the first pair; its other slot may go bad now.
            damage(folder.path(), u64::from(number == 0), at);
            assert_eq!(
                reopen(folder.path()).unwrap(),
                Some(record(3)),
                "slot {number} at {at}, then the other"
            );
        }
    }
}

/// A save that is cut short at any sector of either slot, in any order: the record before it is read, or the new one.
#[tokio::test]
async fn s1_a_save_cut_short_leaves_the_one_before_it() {
    const SECTOR: usize = 32;
    for saved in 0..3_u64 {
        let seq = saved + 1;
        let new = encode(&record(seq), seq).unwrap();
        let sectors: Vec<_> = new.chunks(SECTOR).enumerate().collect();
        for torn in 1..sectors.len() {
            for other in [0, torn, sectors.len()] {
                for from_the_end in [false, true] {
                    let folder = tempfile::tempdir().unwrap();
                    save_and_reopen(folder.path(), &(1..=saved).collect::<Vec<_>>()).await;
                    for (number, written) in Pair::of(seq).slots().into_iter().zip([torn, other]) {
                        let mut order = sectors.clone();
                        if from_the_end {
                            order.reverse();
                        }
                        for (index, sector) in order.into_iter().take(written) {
                            slot(folder.path(), number, (index * SECTOR) as u64, sector);
                        }
                    }
                    let before = (saved > 0).then(|| record(saved));
                    let read = reopen(folder.path());
                    let read = read.unwrap_or_else(|error| panic!("{saved}, {torn} and {other}: {error}"));
                    assert!(
                        read == before || read == Some(record(seq)),
                        "{saved}, {torn}, {other}: {read:?}"
                    );
                    // And what was read is what is read again, after the next save, too.
                    assert_eq!(reopen(folder.path()).unwrap(), read);
                    assert_eq!(save_and_reopen(folder.path(), &[9]).await, Some(record(9)));
                }
            }
        }
    }
}

#[tokio::test]
async fn s2_damage_that_no_crash_leaves_stops_the_agent() {
    let zeros = vec![0; SLOT_BYTES];
    type Harm<'a> = &'a dyn Fn(&Path);
    let harms: [(&str, Harm<'_>); 4] = [
        ("the newer pair is overwritten", &|folder| {
            [0, 1].iter().for_each(|number| damage(folder, *number, 0))
        }),
        ("the newer pair is wiped out", &|folder| {
            [0, 1].iter().for_each(|number| slot(folder, *number, 0, &zeros))
        }),
        ("the older pair is wiped out", &|folder| {
            [2, 3].iter().for_each(|number| slot(folder, *number, 0, &zeros))
        }),
        ("all of it is", &|folder| (0..4).for_each(|number| damage(folder, number, 30))),
    ];
    for (what, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        save_and_reopen(folder.path(), &[1, 2, 3]).await;
        harm(folder.path());
        let error = reopen(folder.path()).expect_err(what);
        assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error}");
        assert!(error.to_string().contains("must not start as if it had never voted"), "{error}");
    }
}

/// What agents of one pair have left.
#[tokio::test]
async fn a_file_of_one_pair_is_taken_over() {
    for (saved, torn) in [(1, None), (2, None), (7, Some(0)), (8, Some(1))] {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = encode(&record(saved), saved).unwrap();
        bytes[8..12].copy_from_slice(&FORMAT_OF_ONE_PAIR.to_le_bytes());
        let sum = checksum(&bytes[..24], &bytes[HEADER_BYTES..]);
        bytes[24..28].copy_from_slice(&sum.to_le_bytes());
        let file = File::create(folder.path().join(FILE)).unwrap();
        file.set_len(2 * SLOT_BYTES as u64).unwrap();
        for number in 0..2 {
            file.write_all_at(&bytes, number * SLOT_BYTES as u64).unwrap();
        }
        if let Some(number) = torn {
            damage(folder.path(), number, 30);
        }
        assert_eq!(reopen(folder.path()).unwrap(), Some(record(saved)));
        // Whoever looks at one pair alone finds nothing older than that, in a format that it refuses.
        for number in 0..4 {
            let file = File::open(folder.path().join(FILE)).unwrap();
            let found = read_slot(&file, Path::new("record"), number).unwrap();
            assert!(matches!(&found, Slot::Whole { record: found, .. } if **found == record(saved)));
        }
        assert_eq!(save_and_reopen(folder.path(), &[9]).await, Some(record(9)));
    }
}

#[tokio::test]
async fn s2_a_file_cut_short_stops_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    save_and_reopen(folder.path(), &[1]).await;
    OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap().set_len(1000).unwrap();
    assert!(matches!(reopen(folder.path()), Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn two_agents_cannot_share_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let _held = Store::open(folder.path()).unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Locked { .. })));
}
