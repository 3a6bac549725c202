// SPDX-License-Identifier: Apache-2.0
//
// RSA signatures over libcrypto. What it says of an error is left out of ours: it names functions of
// its own, and the caller can only look at his PEM again.
#include "banyan/notification_signer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

namespace {

using internal::Error;
using internal::StrCat;

constexpr int kBitsMin = 2'048;
constexpr int kBitsMade = 2'048;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> Readable(std::string_view text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A certificate for `key`, signed by it. It is valid always: to say from when to when would mean
// to read a clock, and nobody but tests trusts it.
Owned<X509> MakeCertificate(EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  ASN1_TIME_set_string(X509_getm_notBefore(certificate.get()), "20000101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(certificate.get()), "99991231235959Z");
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("Banyan notifications"), -1, -1,
                             0);
  X509_set_issuer_name(certificate.get(), name);
  if (X509_sign(certificate.get(), key, EVP_sha256()) == 0) return nullptr;
  return certificate;
}

std::string ToPem(X509* certificate) {
  const Owned<BIO> out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), certificate) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

absl::Status Bad(std::string_view what) {
  return Error(AwsError::kTopicInvalidParameter,
               "Invalid parameter: NotificationSigner Reason: ", what);
}

}  // namespace

struct NotificationSigner::State {
  Owned<EVP_PKEY> key;
  std::string certificate_pem;
  std::string certificate_name;
};

NotificationSigner::NotificationSigner(std::unique_ptr<const State> state)
    : state_(std::move(state)) {}
NotificationSigner::~NotificationSigner() = default;

absl::StatusOr<std::shared_ptr<const NotificationSigner>> NotificationSigner::Generate() {
  Owned<EVP_PKEY> key(EVP_RSA_gen(kBitsMade));
  Owned<X509> certificate = key == nullptr ? nullptr : MakeCertificate(key.get());
  if (certificate == nullptr) {
    return Error(AwsError::kServiceUnavailable, "libcrypto made no key.");
  }
  auto state = std::make_unique<State>();
  state->key = std::move(key);
  state->certificate_pem = ToPem(certificate.get());
  state->certificate_name =
      StrCat("SimpleNotificationService-", internal::Md5Hex(state->certificate_pem), ".pem");
  return std::shared_ptr<const NotificationSigner>(new NotificationSigner(std::move(state)));
}

absl::StatusOr<std::shared_ptr<const NotificationSigner>> NotificationSigner::FromPem(
    std::string_view private_key, std::string_view certificate) {
  // An empty password, so that nobody is asked for one at the terminal.
  char no_password[] = "";
  Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(Readable(private_key).get(), nullptr, nullptr, no_password));
  if (key == nullptr) return Bad("the private key is no PEM text of one without a password");
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key.get()) < kBitsMin) {
    return Bad(StrCat("the private key is not RSA of ", kBitsMin, " bits or more"));
  }
  const Owned<X509> x509(
      PEM_read_bio_X509(Readable(certificate).get(), nullptr, nullptr, no_password));
  if (x509 == nullptr) return Bad("the certificate is no PEM text of one");
  if (X509_check_private_key(x509.get(), key.get()) != 1) {
    return Bad("the certificate is of another key");
  }
  auto state = std::make_unique<State>();
  state->key = std::move(key);
  state->certificate_pem = certificate;
  state->certificate_name =
      StrCat("SimpleNotificationService-", internal::Md5Hex(state->certificate_pem), ".pem");
  return std::shared_ptr<const NotificationSigner>(new NotificationSigner(std::move(state)));
}

const std::string& NotificationSigner::certificate_pem() const { return state_->certificate_pem; }
const std::string& NotificationSigner::certificate_name() const { return state_->certificate_name; }

size_t NotificationSigner::signature_size() const {
  const size_t bytes = static_cast<size_t>(EVP_PKEY_get_size(state_->key.get()));
  return (bytes + 2) / 3 * 4;
}

std::string NotificationSigner::Sign(std::string_view text, int version) const {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const EVP_MD* const digest = version == 2 ? EVP_sha256() : EVP_sha1();
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(state_->key.get())), '\0');
  size_t size = signature.size();
  const bool ok =
      EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, state_->key.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  BANYAN_CHECK(ok && size == signature.size(), "libcrypto failed to sign with a key it has taken");
  return absl::Base64Escape(signature);
}

}  // namespace banyan::inline v0_1
