use super::*;

const IDENTITY: ContractIdentity = ContractIdentity { chain_id: 31337, contract: Address::repeat_byte(1) };

fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: B256::with_last_byte(number as u8), time: Timestamp::from_unix(1000 + number) }
}

fn event(number: u64, log: u64, kind: &str) -> StoredEvent {
    StoredEvent {
        position: Position { block: number, log },
        block_hash: block(number).hash,
        time: block(number).time,
        tx: TxHash::repeat_byte(7),
        kind: kind.into(),
        campaign: Some(B256::repeat_byte(log as u8)),
        account: None,
        body: "{}".parse().unwrap(),
    }
}

async fn open(database: &Database) -> (Arc<dyn EventStore>, Lease) {
    let (store, opened) = database.events(IDENTITY).await.unwrap();
    assert_eq!(opened, OpenOutcome::Fresh);
    let lease = store.lease().await.unwrap().unwrap();
    (store, lease)
}

/// The same for a file and for a shared database.
async fn each_store(test: impl AsyncFn(Arc<dyn EventStore>, Lease)) {
    let directory = tempfile::tempdir().unwrap();
    let (store, lease) = open(&Database::Directory(directory.path().to_owned())).await;
    test(store, lease).await;
    if let Some(url) = testkit::postgres::database() {
        let (store, lease) = open(&Database::Postgres(url.parse().unwrap())).await;
        test(store, lease).await;
    }
}

#[tokio::test]
async fn old_blocks_without_events_are_forgotten() {
    each_store(async |store, lease| {
        store.append(lease, &[event(3, 0, "opened")], block(3)).await.unwrap();
        for number in [10, 20, 1000, 1300] {
            store.append(lease, &[], block(number)).await.unwrap();
        }
        assert_eq!(store.newest_blocks(9).await.unwrap(), [block(1300), block(3)]);
    })
    .await;
}

#[tokio::test]
async fn events_come_back_in_chain_order_and_filtered() {
    each_store(async |store, lease| {
        let all = [event(3, 0, "opened"), event(3, 1, "submitted"), event(5, 0, "submitted")];
        store.append(lease, &all, block(9)).await.unwrap();

        assert_eq!(store.events(&Filter::default(), None, 10).await.unwrap(), all);
        assert_eq!(store.events(&Filter::default(), Some(all[0].position), 1).await.unwrap(), all[1..2]);
        let submitted = Filter { kind: Some("submitted".into()), ..Filter::default() };
        assert_eq!(store.events(&submitted, None, 10).await.unwrap(), all[1..]);
        let first = Filter { campaign: Some(B256::ZERO), ..Filter::default() };
        assert_eq!(store.events(&first, None, 10).await.unwrap().len(), 2);
        let nobody = Filter { account: Some(Address::ZERO), ..Filter::default() };
        assert_eq!(store.events(&nobody, None, 10).await.unwrap(), []);
        assert_eq!(store.newest_blocks(1).await.unwrap(), [block(9)]);
        assert_eq!(store.block_hash(5).await.unwrap(), Some(block(5).hash));
        assert_eq!(store.block_hash(6).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn truncation_forgets_exactly_what_is_newer_and_readers_learn_of_it() {
    each_store(async |store, lease| {
        let (first, second) = (event(3, 0, "a"), event(5, 0, "b"));
        store.append(lease, std::slice::from_ref(&first), block(4)).await.unwrap();
        store.append(lease, std::slice::from_ref(&second), block(6)).await.unwrap();
        let news = store.changes(0, Some(first.position), 10).await.unwrap();
        assert_eq!(news, Changes { rollbacks: vec![], records: vec![second], tip: Some(block(6)) });

        store.truncate_after(lease, Some(4)).await.unwrap();
        assert_eq!(store.events(&Filter::default(), None, 10).await.unwrap(), [first]);
        assert_eq!(store.newest_blocks(10).await.unwrap(), [block(4), block(3)]);
        let rollback = Rollback { number: store.last_rollback().await.unwrap(), survivor: Some(4) };
        let news = store.changes(0, None, 10).await.unwrap();
        assert_eq!(news, Changes { rollbacks: vec![rollback], records: vec![], tip: Some(block(4)) });

        store.truncate_after(lease, None).await.unwrap();
        let news = store.changes(rollback.number, None, 10).await.unwrap();
        assert_eq!((news.rollbacks.len(), news.rollbacks[0].survivor, news.tip), (1, None, None));
    })
    .await;
}

#[tokio::test]
async fn an_index_of_another_contract_or_a_damaged_one_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::Directory(directory.path().to_owned());
    let (store, lease) = open(&database).await;
    store.append(lease, &[event(3, 0, "a")], block(4)).await.unwrap();
    store.close().await;

    let (store, opened) = database.events(IDENTITY).await.unwrap();
    assert_eq!((opened, store.newest_blocks(1).await.unwrap()), (OpenOutcome::Continued, vec![block(4)]));
    store.close().await;

    let other = ContractIdentity { chain_id: 1, ..IDENTITY };
    let (store, opened) = database.events(other).await.unwrap();
    assert!(matches!(opened, OpenOutcome::Replaced(reason) if reason.contains("31337")));
    assert_eq!(store.newest_blocks(1).await.unwrap(), []);
    store.close().await;

    let damaged = b"not a database, but long enough to look like a file that somebody overwrote";
    std::fs::write(directory.path().join("index.sqlite"), damaged).unwrap();
    let (store, opened) = database.events(IDENTITY).await.unwrap();
    assert!(matches!(opened, OpenOutcome::Replaced(_)));
    assert_eq!(store.newest_blocks(1).await.unwrap(), []);
}

#[test]
fn the_address_of_a_database_is_shown_without_its_password() {
    let url: DatabaseUrl = "postgres://sonar:s3cret@db.example:5433/index".parse().unwrap();
    assert_eq!(url.to_string(), "index at db.example:5433");
    assert!(!format!("{url:?}").contains("s3cret"));
    for text in ["", "sonar", "mysql://sonar:s3cret@db.example/index", "postgres://sonar:s3cret@db.example:port/index"]
    {
        let error = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains("postgres://") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn positions_read_back() {
    let position = Position { block: 12, log: 3 };
    assert_eq!(position.to_string().parse(), Ok(position));
    for text in ["", "12", "12-", "-3", "a-b", "1-2-3"] {
        assert!(text.parse::<Position>().is_err(), "{text}");
    }
}
