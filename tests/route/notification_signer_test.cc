// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 3, "Signature": what a subscriber that knows only the envelope and the
// certificate can check. The text to sign is put together here once more, from the envelope.
#include "banyan/notification_signer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "banyan/broker.h"
#include "banyan/testing/fake_http_transport.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "queue/json_members.h"
#include "route/notification.h"
#include "route_testing.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::testing::HasSubstr;

using Members = std::map<std::string, std::string>;

Members Parse(std::string_view json) {
  Members members;
  const std::vector<JsonMember> list = ReadJsonObject(json).value();
  for (const JsonMember& member : list) members[member.name] = member.text;
  return members;
}

std::string TextToSign(const Members& members) {
  std::vector<std::string> keys = {"Message",   "MessageId", "Subject",
                                   "Timestamp", "TopicArn",  "Type"};
  if (members.at("Type") != "Notification") {
    keys = {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"};
  }
  std::string text;
  for (const std::string& key : keys) {
    const auto member = members.find(key);
    if (member != members.end()) text += key + "\n" + member->second + "\n";
  }
  return text;
}

bool Verifies(const std::string& text, const std::string& base64, const std::string& pem,
              const EVP_MD* digest) {
  std::string signature;
  if (!absl::Base64Unescape(base64, &signature)) return false;
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  return EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr,
                              X509_get0_pubkey(certificate.get())) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                          text.size()) == 1;
}

bool VerifiesWith(const NotificationSigner& signer, const Members& members) {
  const EVP_MD* digest = members.at("SignatureVersion") == "2" ? EVP_sha256() : EVP_sha1();
  return Verifies(TextToSign(members), members.at("Signature"), signer.certificate_pem(), digest);
}

class NotificationSignerTest : public ::testing::Test {
 protected:
  static const std::shared_ptr<const NotificationSigner>& Signer() {
    static const auto& signer =
        *new std::shared_ptr<const NotificationSigner>(NotificationSigner::Generate().value());
    return signer;
  }
  Members Receive(const Queue& queue) { return Parse(queue.Receive().value().at(0).body()); }

  testing::SimulatedRuntime runtime_;
  testing::FakeHttpTransport http_{runtime_};
  Broker broker_ = Broker::Create(runtime_, {.http_transport = &http_,
                                             .endpoint_url = "http://localhost:4566",
                                             .notification_signer = Signer()})
                       .value();
  Queue queue_ = broker_.CreateQueue("q").value();
};

TEST_F(NotificationSignerTest, T38_NotificationsOfBothVersionsVerify) {
  for (const int version : {1, 2}) {
    Topic topic =
        broker_.CreateTopic("t" + std::to_string(version), {.signature_version = version}).value();
    ASSERT_THAT(topic.Subscribe(queue_), IsOk());
    for (const char* subject : {"", "a subject"}) {
      ASSERT_THAT(
          topic.Publish(
              {.body = "caf\xC3\xA9 \"\n\t\\", .subject = subject, .attributes = {{"k", "v"}}}),
          IsOk());
      Members members = Receive(queue_);
      EXPECT_EQ(members.at("SignatureVersion"), std::to_string(version));
      EXPECT_EQ(members.at("SigningCertURL"),
                "http://localhost:4566/" + Signer()->certificate_name());
      EXPECT_TRUE(VerifiesWith(*Signer(), members)) << version << " " << subject;
      members["Message"] += "!";
      EXPECT_FALSE(VerifiesWith(*Signer(), members)) << "a changed message";
    }
  }
}

TEST_F(NotificationSignerTest, ATopicMayChangeItsVersion) {
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(queue_), IsOk());
  TopicOptions options = topic.Options().value();
  options.signature_version = 2;
  ASSERT_THAT(topic.SetOptions(options), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const Members members = Receive(queue_);
  EXPECT_EQ(members.at("SignatureVersion"), "2");
  EXPECT_TRUE(VerifiesWith(*Signer(), members));
}

TEST_F(NotificationSignerTest, TheTwoVersionsAreNotEachOther) {
  Topic topic = broker_.CreateTopic("t", {.signature_version = 2}).value();
  ASSERT_THAT(topic.Subscribe(queue_), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  Members members = Receive(queue_);
  members["SignatureVersion"] = "1";
  EXPECT_FALSE(VerifiesWith(*Signer(), members));
}

TEST_F(NotificationSignerTest, T39_TheHandshakeIsSigned) {
  Topic topic = broker_.CreateTopic("t").value();
  const Subscription subscription = topic.Subscribe(Target::Url("http://a")).value();
  runtime_.RunUntilIdle();
  const Members asked = Parse(http_.requests().at(0).body());
  EXPECT_TRUE(VerifiesWith(*Signer(), asked));
  ASSERT_THAT(topic.ConfirmSubscription(asked.at("Token")), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_EQ(http_.requests().size(), 3u);
  EXPECT_TRUE(VerifiesWith(*Signer(), Parse(http_.requests()[1].body())));
  EXPECT_TRUE(VerifiesWith(*Signer(), Parse(http_.requests()[2].body())));
}

TEST_F(NotificationSignerTest, AFunctionsRecordIsSignedWithVersionOneEvenOnAVersionTwoTopic) {
  Topic topic = broker_.CreateTopic("t", {.signature_version = 2}).value();
  std::string event;
  Function function = broker_
                          .CreateFunction("f", {},
                                          [&event](const FunctionEvent& its) {
                                            event = its.LambdaEvent();
                                            return absl::OkStatus();
                                          })
                          .value();
  ASSERT_THAT(topic.Subscribe(function, {.call_inline = true}), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const size_t begin = event.find("\"Sns\":") + 6;
  Members record = Parse(event.substr(begin, event.size() - begin - 3));
  record.erase("Subject");  // null
  EXPECT_EQ(record.at("SignatureVersion"), "1");
  EXPECT_TRUE(VerifiesWith(*Signer(), record));
}

TEST_F(NotificationSignerTest, AFifoTopicSignsNothing) {
  Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  ASSERT_THAT(topic.Subscribe(queue_), IsOk());
  ASSERT_THAT(
      topic.Publish({.body = "x", .message_group_id = "g", .message_deduplication_id = "d"}),
      IsOk());
  const Members members = Receive(queue_);
  EXPECT_FALSE(members.contains("Signature"));
  EXPECT_FALSE(members.contains("SignatureVersion"));
  EXPECT_FALSE(members.contains("SigningCertURL"));
}

TEST_F(NotificationSignerTest, WithoutAnEndpointThereIsASignatureAndNoUrl) {
  Broker broker = Broker::Create(runtime_, {.notification_signer = Signer()}).value();
  Topic topic = broker.CreateTopic("t").value();
  Queue queue = broker.CreateQueue("q").value();
  ASSERT_THAT(topic.Subscribe(queue), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const Members members = Receive(queue);
  EXPECT_EQ(members.at("SigningCertURL"), "");
  EXPECT_TRUE(VerifiesWith(*Signer(), members));
}

TEST_F(NotificationSignerTest, TheSizeIsCountedWithoutSigning) {
  const Signing signing = {.signer = Signer(), .certificate_url = "http://localhost:4566/x.pem"};
  const Notification notification("arn:aws:sns:us-east-1:000000000000:t",
                                  Notification::Of::kStandardTopic, Notification::Group::kKept,
                                  signing, "http://localhost:4566/?Action=Unsubscribe");
  for (const std::string& body : {std::string("x"), std::string(1'000, '"')}) {
    const MessageRef message = MakeMessage({.id = {1, 2}, .body = Payload(body)});
    EXPECT_EQ(notification.Size(*message), notification.Render(*message).size());
    EXPECT_LE(notification.Size(*message), notification.SizeAtMost(*message));
  }
}

TEST_F(NotificationSignerTest, PemTextsAreCheckedAndRoundTrip) {
  constexpr int kBits = 2'048;
  const auto pem_of = [](EVP_PKEY* key) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
    PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return std::string(text, static_cast<size_t>(size));
  };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> other(EVP_RSA_gen(kBits),
                                                                  &EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> weak(EVP_RSA_gen(1'024),
                                                                 &EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> curve(EVP_EC_gen("P-256"),
                                                                  &EVP_PKEY_free);
  const std::string& certificate = Signer()->certificate_pem();
  const auto refusal = [&](const std::string& key, const std::string& its) {
    const absl::Status status = NotificationSigner::FromPem(key, its).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal("", certificate), HasSubstr("private key is no PEM"));
  EXPECT_THAT(refusal(pem_of(weak.get()), certificate), HasSubstr("not RSA of 2048 bits"));
  EXPECT_THAT(refusal(pem_of(curve.get()), certificate), HasSubstr("not RSA"));
  EXPECT_THAT(refusal(pem_of(other.get()), "nonsense"), HasSubstr("certificate is no PEM"));
  EXPECT_THAT(refusal(pem_of(other.get()), certificate), HasSubstr("of another key"));

  // A certificate for it, made here.
  const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), &X509_free);
  X509_set_pubkey(x509.get(), other.get());
  ASN1_TIME_set_string(X509_getm_notBefore(x509.get()), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(x509.get()), "20990101000000Z");
  X509_sign(x509.get(), other.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  PEM_write_bio_X509(out.get(), x509.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  const std::string own(text, static_cast<size_t>(size));
  const auto signer = NotificationSigner::FromPem(pem_of(other.get()), own).value();
  EXPECT_EQ(signer->certificate_pem(), own);
  const std::string signature = signer->Sign("text", 2);
  EXPECT_EQ(signature.size(), signer->signature_size());
  EXPECT_EQ(signature, signer->Sign("text", 2)) << "a fixed key signs the same way each time";
  EXPECT_TRUE(Verifies("text", signature, own, EVP_sha256()));
  EXPECT_FALSE(Verifies("tex", signature, own, EVP_sha256()));
}

}  // namespace
}  // namespace banyan::internal
