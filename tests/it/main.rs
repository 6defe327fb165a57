//! Everything together: the gateway through its doors, on real databases, against the simulated WeChat over real HTTP,
//! with a clock that the test turns. One binary, so that it links once. `scripts/test` brings the servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's unwrap is its assertion"
)]

mod world;

mod account_commands;
mod accounts;
mod attacks;
mod audit;
mod batches;
mod binary;
mod binding;
mod configuration;
mod console;
mod documents;
mod doors;
mod encrypted_keys;
mod examples;
mod faults;
mod forged;
mod house;
mod internal;
mod login;
mod migrations;
mod miniprogram;
mod overload;
mod packaging;
mod passwords;
mod person;
mod phone_numbers;
mod playground;
mod proxies;
mod reload;
mod resealing;
mod revocation;
mod rotation;
mod schema;
mod sealed;
mod seeing;
mod serving;
mod siblings;
mod tokens;
mod unknown_keys;
mod wechat_data;
mod wechat_faults;
