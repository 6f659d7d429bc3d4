-- Everything here is a copy of public facts of the chain: it can be dropped and is then read from there again.

-- Which contract on which chain this index is about.
CREATE TABLE identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    chain_id INTEGER NOT NULL,
    contract TEXT NOT NULL
);

-- Blocks that are indexed, with their hashes: the newest is how far the index has come, the others help to find
-- the common ancestor when the chain was rolled back.
CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    time INTEGER NOT NULL
);

CREATE TABLE events (
    block INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    block_hash TEXT NOT NULL,
    tx TEXT NOT NULL,
    kind TEXT NOT NULL,
    campaign TEXT,
    account TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (block, log_index)
) WITHOUT ROWID;

CREATE INDEX events_by_campaign ON events (campaign, block, log_index);
CREATE INDEX events_by_account ON events (account, block, log_index);
