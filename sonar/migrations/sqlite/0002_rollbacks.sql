-- Each time that the chain was rolled back, with the newest block that was kept; NULL if none was.
CREATE TABLE rollbacks (
    number INTEGER PRIMARY KEY,
    survivor INTEGER
);
