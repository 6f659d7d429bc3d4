-- Several servers share these tables. The schema that contains them is named after the chain and the contract.
-- Everything but `settlements` is a copy of public facts of the chain.

-- Blocks that are indexed, with their hashes: the newest is how far the index has come, the others help to find
-- the common ancestor when the chain was rolled back.
CREATE TABLE blocks (
    number BIGINT PRIMARY KEY,
    hash TEXT NOT NULL,
    time BIGINT NOT NULL
);

CREATE TABLE events (
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    block_hash TEXT NOT NULL,
    tx TEXT NOT NULL,
    kind TEXT NOT NULL,
    campaign TEXT,
    account TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (block, log_index)
);

CREATE INDEX events_by_campaign ON events (campaign, block, log_index);
CREATE INDEX events_by_account ON events (account, block, log_index);

-- Each time that the chain was rolled back, with the newest block that was kept; NULL if none was. Servers that do
-- not follow the chain themselves learn of it here.
CREATE TABLE rollbacks (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survivor BIGINT
);

-- Which server follows the chain. Every change of the tables above locks this row and compares holder and term, so
-- that a server that lost the lease without noticing changes nothing.
CREATE TABLE lease (
    only_row BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    holder TEXT NOT NULL,
    term BIGINT NOT NULL,
    expires TIMESTAMPTZ NOT NULL
);
INSERT INTO lease (holder, term, expires) VALUES ('', 0, '-infinity');

-- Signed settlements that wait for their window to be settled. They are not on the chain and cannot be rebuilt.
CREATE TABLE settlements (
    campaign BYTEA NOT NULL,
    "window" BIGINT NOT NULL,
    body TEXT NOT NULL,
    received BIGINT NOT NULL,
    tried BIGINT,
    PRIMARY KEY (campaign, "window")
);
