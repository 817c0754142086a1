//! Answers of CloudWatch.
#![no_main]

use fortnight_fuzz::Answered;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ACCOUNT: Answered = Answered::new(
        "cloudwatch",
        "account = \"cards\"\nregions = [\"eu-west-1\"]\n",
        "content-type: application/cbor\r\nsmithy-protocol: rpc-v2-cbor\r\n",
    );
}

fuzz_target!(|answer: &[u8]| ACCOUNT.with(|account| account.ask(answer)));
