// SPDX-License-Identifier: Apache-2.0
#include "pattern/ip.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigitsAndColon = "0123456789abcdefABCDEF:";

// The longest spelling of an IPv4 address with three digits a group.
constexpr size_t kV4LengthMax = 15;

// All of `text` as an unsigned number of `base`.
std::optional<unsigned> ParseGroup(std::string_view text, int base) {
  unsigned value = 0;
  const std::from_chars_result result =
      std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<IpAddress> ParseV4(std::string_view text) {
  if (text.size() > kV4LengthMax) return std::nullopt;
  IpAddress address{.is_v4 = true};
  for (size_t group = 0; group < 4; ++group) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (group == 3)) return std::nullopt;
    const std::optional<unsigned> value = ParseGroup(text.substr(0, dot), 10);
    if (!value.has_value() || *value > 255) return std::nullopt;
    address.bytes[group] = static_cast<uint8_t>(*value);
    text.remove_prefix(group == 3 ? text.size() : dot + 1);
  }
  return address;
}

std::optional<IpAddress> ParseV6(std::string_view text) {
  // Groups before the "::" go to `head`, groups behind it to `tail`.
  std::array<unsigned, 8> head{}, tail{};
  size_t head_size = 0, tail_size = 0;
  bool has_gap = false;
  if (text.starts_with("::")) {
    has_gap = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const size_t colon = std::min(text.find(':'), text.size());
    const std::optional<unsigned> value = ParseGroup(text.substr(0, colon), 16);
    if (!value.has_value() || colon > 4 || head_size + tail_size == 8) return std::nullopt;
    (has_gap ? tail[tail_size++] : head[head_size++]) = *value;
    text.remove_prefix(colon);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.starts_with(':')) {
      if (has_gap) return std::nullopt;
      has_gap = true;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return std::nullopt;  // a colon at the end that is not "::"
    }
  }
  const size_t size = head_size + tail_size;
  if (has_gap ? size == 8 : size != 8) return std::nullopt;  // "::" stands for one group at least

  IpAddress address;
  const auto put = [&address](size_t group, unsigned value) {
    address.bytes[2 * group] = static_cast<uint8_t>(value >> 8);
    address.bytes[2 * group + 1] = static_cast<uint8_t>(value);
  };
  for (size_t i = 0; i < head_size; ++i) put(i, head[i]);
  for (size_t i = 0; i < tail_size; ++i) put(8 - tail_size + i, tail[i]);

  constexpr std::array<uint8_t, 12> kV4Mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kV4Mapped.begin(), kV4Mapped.end(), address.bytes.begin())) {
    IpAddress v4{.is_v4 = true};
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  return address;
}

// Does `text` have the outline of an address? Decides between the service's two error texts.
bool LooksLikeIp(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    return text.find_first_not_of(kHexDigitsAndColon) == std::string_view::npos;
  }
  int groups = 0;
  while (true) {
    const size_t digits = std::min(text.find_first_not_of(kDigits), text.size());
    if (digits == 0) return false;
    ++groups;
    text.remove_prefix(digits);
    if (text.empty()) return groups == 4;
    if (text.front() != '.') return false;
    text.remove_prefix(1);
  }
}

}  // namespace

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  return text.find(':') != std::string_view::npos ? ParseV6(text) : ParseV4(text);
}

IpAddress Masked(const IpAddress& address, int bits) {
  IpAddress masked = address;
  for (size_t i = 0; i < masked.bytes.size(); ++i, bits -= 8) {
    const int unused = std::clamp(8 - bits, 0, 8);
    masked.bytes[i] = static_cast<uint8_t>(masked.bytes[i] >> unused << unused);
  }
  return masked;
}

std::optional<IpBlock> IpBlock::Parse(std::string_view text, std::string* error) {
  const auto refuse = [error](std::string reason) {
    *error = std::move(reason);
    return std::nullopt;
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string_view::npos) {
    return refuse("Malformed CIDR, one '/' required");
  }
  std::string_view mask = text.substr(slash + 1);
  if (mask.starts_with('+') && !mask.starts_with("+-")) mask.remove_prefix(1);
  int bits = 0;
  const std::from_chars_result result =
      std::from_chars(mask.data(), mask.data() + mask.size(), bits);
  if (result.ec != std::errc() || result.ptr != mask.data() + mask.size()) {
    return refuse("Malformed CIDR, mask bits must be an integer");
  }
  if (bits < 0) return refuse("Malformed CIDR, mask bits must not be negative");

  const std::string_view base = text.substr(0, slash);
  const std::optional<IpAddress> address = ParseIpAddress(base);
  if (!address.has_value()) {
    return refuse(StrCat(LooksLikeIp(base) ? "Invalid" : "Nonstandard", " IP address: ", base));
  }
  if (address->is_v4 && bits >= 32) return refuse("IPv4 mask bits must be < 32");
  if (bits >= 128) return refuse("IPv6 mask bits must be < 128");
  return IpBlock(*address, bits);
}

bool IpBlock::Contains(const IpAddress& address) const {
  if (address.is_v4 != base_.is_v4) return false;
  return Masked(address, bits_) == Masked(base_, bits_);
}

}  // namespace banyan::inline v0_1::internal
