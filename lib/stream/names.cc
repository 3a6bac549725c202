// SPDX-License-Identifier: Apache-2.0
//
// The texts that streams are spoken of in: shard ids, sequence numbers, iterators.
//
// A sequence number is this hexadecimal number of 47 digits, written in decimal:
//
//   2 | 9: second the shard was made | 1: low digit of the shard's index | 16: the record's number
//     | 2: zero | 9: second of arrival | 8: the shard's index | 2
//
// The 2 in front makes it 186 bits and so, for any second of this century, 56 decimal digits.
#include <algorithm>
#include <array>
#include <charconv>

#include "banyan/stream.h"
#include "base/mix.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

namespace {

constexpr std::string_view kShardPrefix = "shardId-";
constexpr size_t kShardDigits = 12;
constexpr int64_t kSecondMax = (int64_t{1} << 36) - 1;  // nine hexadecimal digits

// A number of up to 192 bits, in three words, most significant first.
class Wide {
 public:
  void AppendBits(uint64_t value, int bits) {
    if (bits == 64) {
      words_ = {words_[1], words_[2], value};
      return;
    }
    words_[0] = (words_[0] << bits) | (words_[1] >> (64 - bits));
    words_[1] = (words_[1] << bits) | (words_[2] >> (64 - bits));
    words_[2] = (words_[2] << bits) | value;
  }

  // Takes the low bits off again.
  uint64_t TakeBits(int bits) {
    const uint64_t low = bits == 64 ? words_[2] : words_[2] & ((uint64_t{1} << bits) - 1);
    if (bits == 64) {
      words_ = {0, words_[0], words_[1]};
    } else {
      words_[2] = (words_[2] >> bits) | (words_[1] << (64 - bits));
      words_[1] = (words_[1] >> bits) | (words_[0] << (64 - bits));
      words_[0] >>= bits;
    }
    return low;
  }

  bool IsZero() const { return words_ == Words{}; }

  std::string ToDecimal() const {
    // Long division by ten in half words, so that no step needs more than 64 bits.
    std::array<uint32_t, 6> halves = Halves();
    std::string reversed;
    while (std::any_of(halves.begin(), halves.end(), [](uint32_t h) { return h != 0; })) {
      uint64_t rest = 0;
      for (uint32_t& half : halves) {
        const uint64_t value = (rest << 32) | half;
        half = static_cast<uint32_t>(value / 10);
        rest = value % 10;
      }
      reversed.push_back(static_cast<char>('0' + rest));
    }
    return {reversed.rbegin(), reversed.rend()};
  }

  static std::optional<Wide> FromDecimal(std::string_view text) {
    std::array<uint32_t, 6> halves = {};
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      uint64_t carry = static_cast<uint64_t>(c - '0');
      for (size_t i = halves.size(); i-- > 0;) {
        const uint64_t value = uint64_t{halves[i]} * 10 + carry;
        halves[i] = static_cast<uint32_t>(value);
        carry = value >> 32;
      }
      if (carry != 0) return std::nullopt;
    }
    Wide wide;
    for (size_t i = 0; i < 3; ++i) {
      wide.words_[i] = (uint64_t{halves[2 * i]} << 32) | halves[2 * i + 1];
    }
    return wide;
  }

 private:
  using Words = std::array<uint64_t, 3>;

  std::array<uint32_t, 6> Halves() const {
    std::array<uint32_t, 6> halves = {};
    for (size_t i = 0; i < 3; ++i) {
      halves[2 * i] = static_cast<uint32_t>(words_[i] >> 32);
      halves[2 * i + 1] = static_cast<uint32_t>(words_[i]);
    }
    return halves;
  }

  Words words_ = {};
};

constexpr size_t kIteratorWords = 7;  // six fields and a check word
using IteratorWords = std::array<uint64_t, kIteratorWords>;

// Tells a mistyped iterator from a good one. No secret: an iterator gives no rights.
uint64_t CheckWord(const IteratorWords& words) {
  uint64_t check = 0;
  for (size_t i = 0; i + 1 < kIteratorWords; ++i) {
    check = internal::Mix64(check + words[i] + internal::kMixStep);
  }
  return check;
}

}  // namespace

std::string ShardId::ToString() const {
  const std::string digits = std::to_string(index);
  std::string text(kShardPrefix);
  if (digits.size() < kShardDigits) text.append(kShardDigits - digits.size(), '0');
  return text += digits;
}

std::optional<ShardId> ShardId::Parse(std::string_view text) {
  if (!text.starts_with(kShardPrefix)) return std::nullopt;
  ShardId id;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + kShardPrefix.size(), end, id.index);
  if (error != std::errc() || rest != end || id.ToString() != text) return std::nullopt;
  return id;
}

std::string SequenceNumber::ToString() const {
  Wide wide;
  wide.AppendBits(2, 4);
  wide.AppendBits(static_cast<uint64_t>(std::clamp<int64_t>(shard_created_second, 0, kSecondMax)),
                  36);
  wide.AppendBits(shard_index & 15, 4);
  wide.AppendBits(number, 64);
  wide.AppendBits(0, 8);
  wide.AppendBits(static_cast<uint64_t>(std::clamp<int64_t>(second, 0, kSecondMax)), 36);
  wide.AppendBits(shard_index, 32);
  wide.AppendBits(2, 4);
  return wide.ToDecimal();
}

std::optional<SequenceNumber> SequenceNumber::Parse(std::string_view text) {
  if (text.empty() || text[0] == '0') return std::nullopt;
  std::optional<Wide> wide = Wide::FromDecimal(text);
  if (!wide.has_value() || wide->TakeBits(4) != 2) return std::nullopt;
  SequenceNumber sequence;
  sequence.shard_index = static_cast<uint32_t>(wide->TakeBits(32));
  sequence.second = static_cast<int64_t>(wide->TakeBits(36));
  if (wide->TakeBits(8) != 0) return std::nullopt;
  sequence.number = wide->TakeBits(64);
  if (wide->TakeBits(4) != (sequence.shard_index & 15)) return std::nullopt;
  sequence.shard_created_second = static_cast<int64_t>(wide->TakeBits(36));
  if (wide->TakeBits(4) != 2 || !wide->IsZero()) return std::nullopt;
  return sequence;
}

std::string ShardIterator::ToString() const {
  IteratorWords words = {stream_,
                         shard_,
                         position_,
                         serial_,
                         static_cast<uint64_t>(issued_uptime_ns_),
                         static_cast<uint64_t>(issued_unix_ns_),
                         0};
  words.back() = CheckWord(words);
  std::string text;
  text.reserve(kIteratorWords * 16);
  for (const uint64_t word : words) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(word >> shift) & 15];
  }
  return text;
}

absl::StatusOr<ShardIterator> ShardIterator::Parse(std::string_view text) {
  const absl::Status invalid =
      internal::Error(AwsError::kStreamInvalidArgument, "Invalid ShardIterator.");
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) {
    text = text.substr(1, text.size() - 2);
  }
  IteratorWords words = {};
  if (text.size() != kIteratorWords * 16) return invalid;
  for (size_t i = 0; i < kIteratorWords; ++i) {
    const char* const from = text.data() + i * 16;
    const auto [rest, error] = std::from_chars(from, from + 16, words[i], 16);
    if (error != std::errc() || rest != from + 16) return invalid;
  }
  if (words.back() != CheckWord(words)) return invalid;
  ShardIterator iterator;
  iterator.stream_ = words[0];
  iterator.shard_ = words[1];
  iterator.position_ = words[2];
  iterator.serial_ = words[3];
  iterator.issued_uptime_ns_ = static_cast<int64_t>(words[4]);
  iterator.issued_unix_ns_ = static_cast<int64_t>(words[5]);
  return iterator;
}

}  // namespace banyan::inline v0_1
