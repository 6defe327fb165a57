use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::*;
use crate::transport::{Answer, Fetched, Request, TransportError};

const ISSUER: &str = "https://auth.example.com";
const START: i64 = 1_793_500_000_000;

/// A gateway as its siblings see it: some keys, some revocations, and a count of who asked.
#[derive(Clone)]
struct Gateway(Arc<Inside>);

struct Inside {
    jwks: Mutex<Result<Vec<u8>, String>>,
    max_age: Mutex<Option<Duration>>,
    revocations: Mutex<Result<Value, String>>,
    asked: AtomicUsize,
    unchanged: AtomicUsize,
    polled: AtomicUsize,
    /// Answers wait for a permit each.
    open: Semaphore,
    now: AtomicI64,
}

impl Transport for Gateway {
    fn get<'a>(&'a self, request: Request<'a>) -> Answer<'a> {
        Box::pin(async move {
            if request.url.ends_with("/v1/revocations") {
                self.0.polled.fetch_add(1, Ordering::SeqCst);
                let list = self.0.revocations.lock().unwrap().clone().map_err(TransportError)?;
                return Ok(Fetched::Document {
                    body: list.to_string().into_bytes(),
                    etag: None,
                    max_age: None,
                });
            }
            assert_eq!(request.url, format!("{ISSUER}/.well-known/jwks.json"));
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            self.0.open.acquire().await.unwrap().forget();
            let body = self.0.jwks.lock().unwrap().clone().map_err(TransportError)?;
            let max_age = *self.0.max_age.lock().unwrap();
            let etag = format!("\"{}\"", body.len());
            if request.etag == Some(&etag) {
                self.0.unchanged.fetch_add(1, Ordering::SeqCst);
                return Ok(Fetched::Unchanged { max_age });
            }
            Ok(Fetched::Document { body, etag: Some(etag), max_age })
        })
    }
}

struct Key {
    kid: String,
    private: EncodingKey,
    jwk: Jwk,
}

fn key(kid: &str) -> Key {
    let der = p256();
    let private = EncodingKey::from_ec_der(&der);
    let mut jwk = Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    DecodingKey::from_jwk(&jwk).unwrap();
    Key { kid: kid.to_owned(), private, jwk }
}

#[expect(clippy::disallowed_methods, reason = "the library makes keys with its own randomness")]
fn p256() -> Vec<u8> {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let rng = aws_lc_rs::rand::SystemRandom::new();
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap().as_ref().to_vec()
}

impl Key {
    fn token(&self, issued: i64, more: &Value) -> String {
        let jti =
            uuid::Builder::from_unix_timestamp_millis(u64::try_from(issued).unwrap(), &[7; 10]).into_uuid();
        let seconds = issued / 1000;
        let mut claims = json!({
            "iss": ISSUER, "sub": "user-1", "aud": "api", "iat": seconds, "exp": seconds + 7200, "jti": jti,
            "client_id": "wx1", "auth_time": seconds,
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        lowered(&jsonwebtoken::encode(&header, &claims, &self.private).unwrap())
    }
}

/// The token as the gateway would have signed it: the library leaves to chance which of two signatures it makes.
fn lowered(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    crate::low_s::lower(&mut signature);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Gateway {
    fn publishing(keys: &[&Key]) -> Self {
        let gateway = Self(Arc::new(Inside {
            jwks: Mutex::new(Err("is down".to_owned())),
            max_age: Mutex::new(Some(Duration::from_secs(300))),
            revocations: Mutex::new(Ok(json!([]))),
            asked: AtomicUsize::new(0),
            unchanged: AtomicUsize::new(0),
            polled: AtomicUsize::new(0),
            open: Semaphore::new(1_000_000),
            now: AtomicI64::new(START),
        }));
        gateway.publish(keys);
        gateway
    }

    fn publish(&self, keys: &[&Key]) {
        let set = JwkSet { keys: keys.iter().map(|key| key.jwk.clone()).collect() };
        *self.0.jwks.lock().unwrap() = Ok(serde_json::to_vec(&set).unwrap());
    }

    fn down(&self) {
        *self.0.jwks.lock().unwrap() = Err("is down".to_owned());
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn turn(&self, seconds: i64) {
        self.0.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn now(&self) -> i64 {
        self.0.now.load(Ordering::SeqCst)
    }

    fn builder(&self) -> Builder {
        let clock = self.clone();
        let millis = move || u64::try_from(clock.now()).unwrap();
        Verifier::builder(ISSUER, "api").clock(move || UNIX_EPOCH + Duration::from_millis(millis()))
    }

    fn verifier(&self) -> Verifier {
        self.builder().build_over(self.clone())
    }
}

/// Lets tasks beside the test run until nothing more happens.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_token_is_verified_with_keys_that_are_fetched_once_and_kept_for_their_age() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    assert_eq!(verifier.status().keys_age, None);
    let claims = verifier.verify(&key.token(START, &json!({}))).await.unwrap();
    assert_eq!((claims.sub.as_str(), gateway.asked()), ("user-1", 1));
    for _ in 0..100 {
        verifier.verify(&key.token(START, &json!({}))).await.unwrap();
    }
    gateway.turn(239);
    verifier.verify(&key.token(START, &json!({}))).await.unwrap();
    assert_eq!(gateway.asked(), 1);
    assert_eq!(verifier.status().keys_age, Some(Duration::from_secs(239)));
}

#[tokio::test]
async fn sixty_four_at_once_at_the_start_make_one_fetch() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    gateway.0.open.forget_permits(1_000_000);
    let verifier = gateway.verifier();
    let mut waiting: VecDeque<_> = (0..64)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), key.token(START, &json!({})));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    settle().await;
    assert_eq!(gateway.asked(), 1);
    // One who leaves takes nothing along.
    waiting.pop_front().unwrap().abort();
    gateway.0.open.add_permits(1);
    for waiting in waiting {
        assert!(waiting.await.unwrap().is_ok());
    }
    assert_eq!(gateway.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_hangs_holds_one_request_up_for_a_second_and_the_others_not_at_all() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    verifier.verify(&token).await.unwrap();
    gateway.0.open.forget_permits(1_000_000);
    gateway.turn(400);
    let begun = tokio::time::Instant::now();
    verifier.verify(&token).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 1);
    for _ in 0..100 {
        verifier.verify(&token).await.unwrap();
    }
    assert_eq!((begun.elapsed().as_secs(), gateway.asked()), (1, 2));
    // Given up after ten; asked again after the cooldown, and this time it answers.
    tokio::time::advance(Duration::from_secs(10)).await;
    settle().await;
    assert!(verifier.status().keys_failure.unwrap().contains("took too long"));
    gateway.0.open.add_permits(1_000_000);
    gateway.turn(30);
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!((gateway.asked(), verifier.status().keys_failure), (3, None));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_goes_on_hanging_holds_nobody_up_again() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    verifier.verify(&token).await.unwrap();
    gateway.0.open.forget_permits(1_000_000);
    gateway.turn(400);
    let begun = tokio::time::Instant::now();
    for round in 0..4 {
        for _ in 0..10 {
            verifier.verify(&token).await.unwrap();
        }
        settle().await;
        assert_eq!((begun.elapsed().as_secs(), gateway.asked() as u64), (1 + round * 10, 2 + round));
        tokio::time::advance(Duration::from_secs(10)).await;
        settle().await;
        gateway.turn(30);
    }
    // Nobody asked for longer than a set of keys is good: the first to come waits again.
    gateway.turn(400);
    verifier.verify(&token).await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 42);
}

#[tokio::test]
async fn readings_of_the_clock_out_of_order_make_one_fetch_in_a_cooldown() {
    let (good, stranger) = (key("k1"), key("k2"));
    let gateway = Gateway::publishing(&[&good]);
    let verifier = gateway.verifier();
    verifier.verify(&good.token(START, &json!({}))).await.unwrap();
    gateway.turn(30);
    let token = stranger.token(START, &json!({}));
    for back in [0, -1, 1, -2, 2, -9, 9] {
        gateway.turn(back);
        assert_eq!(verifier.verify(&token).await, Err(Error::Refused(Refusal::UnknownKey)));
    }
    assert_eq!(gateway.asked(), 2);
}

#[tokio::test]
async fn a_token_of_an_unknown_key_may_be_good_as_long_as_newer_keys_can_not_be_had() {
    let (old, new) = (key("k1"), key("k2"));
    let gateway = Gateway::publishing(&[&old]);
    let verifier = gateway.verifier();
    verifier.verify(&old.token(START, &json!({}))).await.unwrap();
    gateway.down();
    gateway.turn(30);
    let token = new.token(START, &json!({}));
    for _ in 0..10 {
        let Err(Error::KeysUnavailable(why)) = verifier.verify(&token).await else { panic!() };
        assert!(why.ends_with("is down"), "{why}");
    }
    // What can't be ours is refused all the same, and what is known counts.
    let other = new.token(START, &json!({ "aud": "other" }));
    assert_eq!(verifier.verify(&other).await, Err(Error::Refused(Refusal::UnknownKey)));
    verifier.verify(&old.token(START, &json!({}))).await.unwrap();
    assert_eq!(gateway.asked(), 2);
    gateway.publish(&[&old, &new]);
    gateway.turn(30);
    verifier.verify(&token).await.unwrap();
}

#[test]
fn a_runtime_that_ends_before_it_ran_the_fetch_takes_nothing_along() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let short = runtime();
    short.block_on(async {
        // Polled once: the fetch is spawned, and never run.
        let mut asking = std::pin::pin!(verifier.verify(&token));
        std::future::poll_fn(|context| {
            assert!(asking.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    });
    let ended = short.handle().clone();
    drop(short);
    assert_eq!(gateway.asked(), 0);
    // Spawned where nothing runs any more.
    gateway.turn(3);
    {
        let _entered = ended.enter();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut asking = std::pin::pin!(verifier.verify(&token));
        assert!(matches!(
            asking.as_mut().poll(&mut context),
            std::task::Poll::Ready(Err(Error::KeysUnavailable(_)))
        ));
    }
    assert_eq!(gateway.asked(), 0);
    gateway.turn(3);
    runtime().block_on(verifier.verify(&token)).unwrap();
    assert_eq!(gateway.asked(), 1);
}

#[tokio::test]
async fn before_the_keys_ever_came_nothing_is_refused_and_they_are_asked_for_again_soon() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    gateway.down();
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    for _ in 0..100 {
        let error = verifier.verify(&token).await.unwrap_err();
        let wanted = format!("no keys to verify with: {ISSUER}/.well-known/jwks.json: is down");
        assert_eq!(error.to_string(), wanted);
    }
    assert_eq!(gateway.asked(), 1);
    gateway.publish(&[&key]);
    gateway.turn(3);
    verifier.verify(&token).await.unwrap();
    assert_eq!(gateway.asked(), 2);
}

#[tokio::test]
async fn ten_thousand_random_kids_make_one_fetch_in_a_cooldown() {
    let (good, mut stranger) = (key("k1"), key("k2"));
    let gateway = Gateway::publishing(&[&good]);
    let verifier = gateway.verifier();
    verifier.verify(&good.token(START, &json!({}))).await.unwrap();
    for round in 1..=3 {
        gateway.turn(30);
        for n in 0..10_000 {
            stranger.kid = format!("random-{n}");
            let refused = verifier.verify(&stranger.token(START, &json!({}))).await;
            assert_eq!(refused, Err(Error::Refused(Refusal::UnknownKey)));
        }
        assert_eq!(gateway.asked(), 1 + round);
    }
    // At once as well.
    gateway.turn(30);
    let token = stranger.token(START, &json!({}));
    let all: Vec<_> = (0..64)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for each in all {
        assert_eq!(each.await.unwrap(), Err(Error::Refused(Refusal::UnknownKey)));
    }
    assert_eq!(gateway.asked(), 5);
    // What can't be ours isn't worth asking.
    gateway.turn(30);
    for more in
        [json!({ "iss": "https://other.example.com" }), json!({ "aud": "other" }), json!({ "exp": 1 })]
    {
        verifier.verify(&stranger.token(START, &more)).await.unwrap_err();
    }
    let unsigned = format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"x","typ":"JWT"}"#));
    verifier.verify(&unsigned).await.unwrap_err();
    assert_eq!(gateway.asked(), 5);
}

#[tokio::test]
async fn a_key_nobody_knew_is_found_at_its_first_token() {
    let (old, new) = (key("k1"), key("k2"));
    let gateway = Gateway::publishing(&[&old]);
    let verifier = gateway.verifier();
    verifier.verify(&old.token(START, &json!({}))).await.unwrap();
    gateway.publish(&[&old, &new]);
    // Within the cooldown it is not; after it, it is.
    gateway.turn(29);
    let token = new.token(gateway.now(), &json!({}));
    assert_eq!(verifier.verify(&token).await, Err(Error::Refused(Refusal::UnknownKey)));
    gateway.turn(1);
    verifier.verify(&token).await.unwrap();
    assert_eq!(gateway.asked(), 2);
}

#[tokio::test]
async fn keys_near_their_age_are_fetched_beside_the_answer_and_past_it_before() {
    let (old, new) = (key("k1"), key("k2"));
    let gateway = Gateway::publishing(&[&old]);
    let verifier = gateway.verifier();
    let token = old.token(START, &json!({}));
    verifier.verify(&token).await.unwrap();
    gateway.turn(240);
    gateway.0.open.forget_permits(1_000_000);
    gateway.publish(&[&old, &new]);
    // Answered while the gateway is still thinking.
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!(gateway.asked(), 2);
    gateway.0.open.add_permits(1_000_000);
    settle().await;
    verifier.verify(&new.token(START, &json!({}))).await.unwrap();
    assert_eq!(gateway.asked(), 2);

    // Nobody asked for an hour, and the key was revoked meanwhile: the first token under it is refused.
    gateway.turn(3600);
    gateway.publish(&[&new]);
    assert_eq!(verifier.verify(&token).await, Err(Error::Refused(Refusal::UnknownKey)));
    assert_eq!(gateway.asked(), 3);
}

#[tokio::test]
async fn while_the_gateway_is_down_the_old_keys_serve_on_and_it_is_asked_once_a_cooldown() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({ "exp": START / 1000 + 1_000_000 }));
    verifier.verify(&token).await.unwrap();
    gateway.down();
    for minute in 0..30 {
        gateway.turn(60);
        for _ in 0..10 {
            verifier.verify(&token).await.unwrap();
        }
        settle().await;
        assert!(gateway.asked() <= 2 + minute, "{}", gateway.asked());
    }
    let status = verifier.status();
    assert_eq!(status.keys_age, Some(Duration::from_secs(1800)));
    assert!(status.keys_failure.unwrap().ends_with("is down"));
    gateway.publish(&[&key]);
    gateway.turn(30);
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!((verifier.status().keys_age, verifier.status().keys_failure), (Some(Duration::ZERO), None));
}

#[tokio::test]
async fn a_document_that_will_not_do_never_takes_the_place_of_a_good_one() {
    let good = key("k1");
    let gateway = Gateway::publishing(&[&good]);
    let verifier = gateway.verifier();
    let token = good.token(START, &json!({ "exp": START / 1000 + 1_000_000 }));
    verifier.verify(&token).await.unwrap();
    let twice = serde_json::to_vec(&JwkSet { keys: vec![good.jwk.clone(), good.jwk.clone()] }).unwrap();
    let mut long = serde_json::to_vec(&JwkSet { keys: vec![good.jwk.clone()] }).unwrap();
    long.extend(vec![b' '; LONGEST_JWKS]);
    for (body, why) in [
        (b"<html>".to_vec(), "not a JWKS"),
        (br#"{"keys":[]}"#.to_vec(), "holds no key"),
        (twice, "share the kid"),
        (long, "longer than"),
        (Vec::new(), "not a JWKS"),
    ] {
        *gateway.0.jwks.lock().unwrap() = Ok(body);
        gateway.turn(3600);
        verifier.verify(&token).await.unwrap();
        let failure = verifier.status().keys_failure.unwrap();
        assert!(failure.contains(why), "{failure}");
    }
}

#[tokio::test]
async fn an_unchanged_document_is_good_for_another_age() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    for hour in 0..3 {
        verifier.verify(&token).await.unwrap();
        verifier.verify(&token).await.unwrap();
        assert_eq!(gateway.0.unchanged.load(Ordering::SeqCst), hour);
        gateway.turn(1000);
    }
    assert_eq!(gateway.asked(), 3);
}

#[tokio::test]
async fn an_age_that_is_absurd_or_missing_is_held_within_bounds() {
    for (said, soft, hard) in [(None, 240, 300), (Some(0), 8, 30), (Some(10_000_000), 69_120, 86_400)] {
        let key = key("k1");
        let gateway = Gateway::publishing(&[&key]);
        *gateway.0.max_age.lock().unwrap() = said.map(Duration::from_secs);
        let verifier = gateway.verifier();
        let token = key.token(START, &json!({ "exp": START / 1000 + 1_000_000 }));
        verifier.verify(&token).await.unwrap();
        gateway.turn(soft - 1);
        verifier.verify(&token).await.unwrap();
        settle().await;
        assert_eq!(gateway.asked(), 1, "{said:?}");
        gateway.turn(hard - soft + 1);
        verifier.verify(&token).await.unwrap();
        settle().await;
        assert_eq!(gateway.asked(), 2, "{said:?}");
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_the_keys_from_being_asked_for() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START - 8 * 3600 * 1000, &json!({ "exp": START / 1000 + 1_000_000 }));
    verifier.verify(&token).await.unwrap();
    gateway.turn(-3600);
    verifier.verify(&token).await.unwrap();
    assert_eq!(gateway.asked(), 2);
    gateway.turn(240);
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!(gateway.asked(), 3);
}

#[tokio::test]
async fn what_was_ended_is_refused_to_the_millisecond_once_it_is_polled() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.builder().revocations(Duration::from_secs(10)).build_over(gateway.clone());
    let tokens = [-1, 0, 1].map(|millis| key.token(START + 500 + millis, &json!({})));
    gateway.turn(1);
    for token in &tokens {
        verifier.verify(token).await.unwrap();
    }
    let ended = json!([{ "sub": "user-1", "notBefore": START / 1000, "notBeforeMs": START + 500 }]);
    *gateway.0.revocations.lock().unwrap() = Ok(ended);
    gateway.turn(20);
    let verdicts = [
        verifier.verify(&tokens[0]).await.map(|_| ()),
        verifier.verify(&tokens[1]).await.map(|_| ()),
        verifier.verify(&tokens[2]).await.map(|_| ()),
    ];
    assert_eq!(verdicts, [Err(Error::Refused(Refusal::Revoked)), Ok(()), Ok(())]);
    // Another user's are not touched, and the list goes on counting while the gateway can't be asked.
    *gateway.0.revocations.lock().unwrap() = Err("is down".to_owned());
    gateway.turn(3600);
    verifier.verify(&key.token(START, &json!({ "sub": "user-2" }))).await.unwrap();
    assert_eq!(verifier.verify(&tokens[0]).await, Err(Error::Refused(Refusal::Revoked)));
    let status = verifier.status();
    assert_eq!(status.revocations_age, Some(Duration::from_secs(3600)));
    assert!(status.revocations_failure.unwrap().ends_with("is down"));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_come_holds_one_request_up_for_a_second_and_the_others_not_at_all() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.builder().revocations(Duration::from_secs(30)).build_over(Silent(gateway.clone()));
    let token = key.token(START, &json!({}));
    let begun = tokio::time::Instant::now();
    for round in 0..3 {
        for _ in 0..10 {
            verifier.verify(&token).await.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs(), 1 + round * 10);
        tokio::time::advance(Duration::from_secs(10)).await;
        settle().await;
        gateway.turn(30);
    }
    assert!(verifier.status().revocations_failure.unwrap().contains("took too long"));
}

/// Knows the keys, and hangs over the list.
struct Silent(Gateway);

impl Transport for Silent {
    fn get<'a>(&'a self, request: Request<'a>) -> Answer<'a> {
        if request.url.ends_with("/v1/revocations") {
            Box::pin(std::future::pending())
        } else {
            self.0.get(request)
        }
    }
}

#[tokio::test]
async fn a_fetch_whose_runtime_nobody_drives_does_not_keep_the_keys_from_being_fetched_by_another() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    let verifier = gateway.verifier();
    let token = key.token(START, &json!({}));
    verifier.verify(&token).await.unwrap();
    gateway.turn(250);
    let asleep = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    {
        let _entered = asleep.enter();
        // Near their age: served, and a fetch begun beside that, which never runs.
        verifier.verify(&token).await.unwrap();
    }
    gateway.turn(40);
    verifier.verify(&token).await.unwrap();
    settle().await;
    assert_eq!(gateway.asked(), 2);
    asleep.shutdown_background();
    assert_eq!(verifier.status().keys_failure, None, "what ended late says nothing of what came");
}

#[tokio::test]
async fn a_list_that_never_came_holds_nobody_to_be_revoked_and_says_so() {
    let key = key("k1");
    let gateway = Gateway::publishing(&[&key]);
    *gateway.0.revocations.lock().unwrap() = Err("is down".to_owned());
    let verifier = gateway.builder().revocations(Duration::from_secs(10)).build_over(gateway.clone());
    verifier.verify(&key.token(START, &json!({}))).await.unwrap();
    assert_eq!(verifier.status().revocations_age, None);
    assert!(verifier.status().revocations_failure.is_some());
    // Without polling, nobody asks.
    let polled = gateway.0.polled.load(Ordering::SeqCst);
    gateway.verifier().verify(&key.token(START, &json!({}))).await.unwrap();
    assert_eq!(gateway.0.polled.load(Ordering::SeqCst), polled);
}

#[test]
fn nothing_of_a_token_is_in_what_is_printed() {
    let verifier = Gateway::publishing(&[&key("k1")]).verifier();
    assert!(format!("{verifier:?}").starts_with("Verifier { expected: Expected"));
}
