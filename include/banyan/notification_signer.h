// SPDX-License-Identifier: Apache-2.0
//
// NotificationSigner: signs what topics tell their subscribers, so that a subscriber can check it
// with a certificate, as with SNS.
//
//   BrokerOptions options = {.notification_signer = NotificationSigner::Generate().value()};
//
// Envelopes of standard topics then carry Signature, and SigningCertURL if the broker has an
// endpoint_url. What is signed is SNS's: the names and values of the envelope's members, each on a
// line of its own, by RSA with SHA-1 (version 1) or SHA-256 (version 2, TopicOptions). A body that
// is not UTF-8 is signed as its bytes, while the envelope, which is JSON, shows U+FFFD for what it
// cannot hold: such a signature does not verify.
//
// Signing takes about a millisecond, each time an envelope is rendered.
//
// Threads   Every method from any thread.
// Errors    kInvalidArgument: texts that are no PEM, a key that is not RSA of 2,048 bits or more, a
//           certificate of another key.
// Source    docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
#ifndef BANYAN_NOTIFICATION_SIGNER_H_
#define BANYAN_NOTIFICATION_SIGNER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

class BANYAN_EXPORT NotificationSigner {
 public:
  // A new RSA key of 2,048 bits and a certificate it has signed itself. The key is drawn by OpenSSL
  // from the system's randomness, not by the Runtime: a key that a seed gives again is no key. So
  // signatures differ from run to run; where tests compare bytes, use FromPem with a fixed key.
  static absl::StatusOr<std::shared_ptr<const NotificationSigner>> Generate();

  static absl::StatusOr<std::shared_ptr<const NotificationSigner>> FromPem(
      std::string_view private_key, std::string_view certificate);

  ~NotificationSigner();

  // What subscribers verify with; to be served under SigningCertURL, whose last part is its name.
  const std::string& certificate_pem() const;
  const std::string& certificate_name() const;  // "SimpleNotificationService-<hex digits>.pem"

  // In base64. `version`: 1 or 2.
  std::string Sign(std::string_view text, int version) const;
  // Of each signature, in base64.
  size_t signature_size() const;

 private:
  struct State;
  explicit NotificationSigner(std::unique_ptr<const State> state);
  const std::unique_ptr<const State> state_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_NOTIFICATION_SIGNER_H_
