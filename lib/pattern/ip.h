// SPDX-License-Identifier: Apache-2.0
//
// IP addresses and blocks as patterns compare them.
//
// An IPv6 address that carries an IPv4 one (::ffff:0a01:0203) is that IPv4 address. The two
// families never meet otherwise: 10.0.0.0/8 does not contain a00::1.
#ifndef BANYAN_LIB_PATTERN_IP_H_
#define BANYAN_LIB_PATTERN_IP_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // an IPv4 address uses the first four
  bool is_v4 = false;

  bool operator==(const IpAddress&) const = default;
};

// IPv4 as four decimal groups, leading zeros allowed and still decimal; IPv6 in hex and colons
// only: no dotted tail, no zone, no port. nullopt for everything else.
std::optional<IpAddress> ParseIpAddress(std::string_view text);

// The address with all bits behind the first `bits` cleared.
IpAddress Masked(const IpAddress& address, int bits);

class IpBlock {
 public:
  // Reads "10.0.0.0/8". Bits of the base behind the mask are ignored. Empty on an error, whose text
  // is then in *error, in the service's words.
  static std::optional<IpBlock> Parse(std::string_view text, std::string* error);

  bool Contains(const IpAddress& address) const;

  const IpAddress& base() const { return base_; }
  int bits() const { return bits_; }

 private:
  IpBlock(const IpAddress& base, int bits) : base_(base), bits_(bits) {}

  IpAddress base_;
  int bits_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_IP_H_
