//! Says that an answer is late, while it is waited for: a server that hangs is not silence.

use std::future::Future;
use std::time::Duration;

/// After so long without an answer there is a first line, and another one each time the wait has doubled.
const LATE: Duration = Duration::from_secs(30);

/// Waits for an answer, with all its retries, and warns while there is none.
///
/// `what`: what is waited for, such as `eu-west-1: cloudwatch:GetMetricData`; holds no secret.
pub(crate) async fn announced<T>(what: &str, answer: impl Future<Output = T>) -> T {
    announced_after(LATE, what, answer).await
}

async fn announced_after<T>(first: Duration, what: &str, answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    let (mut waited, mut pause) = (Duration::ZERO, first);
    loop {
        match tokio::time::timeout(pause, answer.as_mut()).await {
            Ok(answer) => return answer,
            Err(_) => {
                waited += pause;
                tracing::warn!(waiting_for = %crate::model::sanitize::escape(what), seconds = waited.as_secs(), "no answer yet");
                pause = waited;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_comes_within_a_minute() {
        assert!(LATE < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn an_answer_comes_through_however_late_it_is() {
        let slow = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            7
        };
        assert_eq!(announced_after(Duration::from_millis(1), "x", slow).await, 7);
        assert_eq!(announced("x", async { 8 }).await, 8);
    }
}
