// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>

#include <memory>

#include "base/check.h"

namespace banyan::inline v0_1::internal {
namespace {

// Looked up once and kept: never freed, so that threads that outlive main's statics can hash.
const EVP_MD* Fetch(const char* name) {
  // "-fips": a machine in FIPS mode refuses MD5 otherwise. It may, for security; this is not.
  const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, name, "-fips");
  BANYAN_CHECK(algorithm != nullptr, "libcrypto does not offer a digest that AWS asks for");
  return algorithm;
}

template <size_t kSize>
std::array<uint8_t, kSize> Digest(const EVP_MD* algorithm, std::string_view bytes) {
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  static thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  std::array<uint8_t, kSize> digest;
  const bool ok = EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1 &&
                  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
                  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  BANYAN_CHECK(ok, "libcrypto failed to compute a digest");
  return digest;
}

template <size_t kSize>
std::string Hex(const std::array<uint8_t, kSize>& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * kSize);
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

Md5Digest Md5(std::string_view bytes) {
  static const EVP_MD* const algorithm = Fetch("MD5");
  return Digest<16>(algorithm, bytes);
}

Sha256Digest Sha256(std::string_view bytes) {
  static const EVP_MD* const algorithm = Fetch("SHA256");
  return Digest<32>(algorithm, bytes);
}

std::string Md5Hex(std::string_view bytes) { return Hex(Md5(bytes)); }

std::string Sha256Hex(std::string_view bytes) { return Hex(Sha256(bytes)); }

}  // namespace banyan::inline v0_1::internal
