//! Measures how the programs behave when the world has a long history.
//!
//! [`history`] makes up what the contracts have said: campaigns, submissions, settlements, payouts. [`rpc`] serves it as a
//! chain node would. [`measure`] runs the real programs against that node, asks them over HTTP, and [`report`] writes down
//! how long they take and how much memory they need. Nothing here knows how the programs work inside.

pub mod chain;
pub mod contract;
pub mod history;
pub mod http;
pub mod load;
pub mod measure;
pub mod process;
pub mod report;
pub mod routes;
pub mod rpc;
