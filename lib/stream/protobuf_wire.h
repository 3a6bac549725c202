// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/protobuf_wire.h -- floor 3, the stream room: protobuf's wire format, as far as records
// of KPL need it.
//
//   message: field field field ...
//   field:   varint (number << 3 | type), and by type: 0 varint; 1 eight bytes; 2 varint size and
//            so many bytes; 3 fields up to type 4 of the same number; 5 four bytes
//   varint:  7 bits a byte, the lowest first; the top bit says that there is more
//
// Decision  Not libprotobuf: it would make every user of the library one of protobuf, whose
//           versions do not like each other in one process, and parse into copies; two messages
//           with six fields need this page, and get views.
// Source    protobuf.dev/programming-guides/encoding
#ifndef BANYAN_LIB_STREAM_PROTOBUF_WIRE_H_
#define BANYAN_LIB_STREAM_PROTOBUF_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace banyan::inline v0_1::internal {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

// Goes over the fields of one message, whose bytes must stay where they are.
//
//   WireReader reader(message);
//   while (reader.Next()) {
//     if (reader.Is(3, WireType::kBytes)) Use(reader.bytes());
//   }                                    // all other fields: skipped, as protobuf asks
//   if (!reader.ok()) ...                // Next() was false for what cannot be read
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  bool Next() {
    if (rest_.empty() || !ok_) return false;
    ok_ = ReadField(0);
    return ok_;
  }
  bool ok() const { return ok_; }

  bool Is(uint32_t number, WireType type) const { return number_ == number && type_ == type; }
  uint64_t varint() const { return varint_; }
  std::string_view bytes() const { return bytes_; }

 private:
  static constexpr int kDepthMax = 100;  // of groups in groups; protobuf's own bound

  // An end of a group is read as a field, and is only right where a group is open.
  bool ReadField(int depth) {
    if (!ReadVarint(&varint_) || varint_ > 0xffffffffu) return false;
    number_ = static_cast<uint32_t>(varint_ >> 3);
    type_ = static_cast<WireType>(varint_ & 7);
    if (number_ == 0) return false;
    switch (type_) {
      case WireType::kVarint:
        return ReadVarint(&varint_);
      case WireType::kFixed64:
        return ReadBytes(8);
      case WireType::kFixed32:
        return ReadBytes(4);
      case WireType::kBytes:
        return ReadVarint(&varint_) && ReadBytes(varint_);
      case WireType::kGroup:
        return SkipGroup(depth);
      case WireType::kEndGroup:
        return depth > 0;
    }
    return false;  // types 6 and 7 are nothing
  }

  bool SkipGroup(int depth) {
    if (depth == kDepthMax) return false;
    const uint32_t number = number_;
    do {
      if (!ReadField(depth + 1)) return false;
    } while (type_ != WireType::kEndGroup);
    type_ = WireType::kGroup;
    return number_ == number;
  }

  // Up to 64 bits in 10 bytes; what goes beyond in the last is dropped, as protobuf does.
  bool ReadVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (rest_.empty()) return false;
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      *value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool ReadBytes(uint64_t size) {
    if (size > rest_.size()) return false;
    bytes_ = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(static_cast<size_t>(size));
    return true;
  }

  std::string_view rest_;
  bool ok_ = true;
  uint32_t number_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t varint_ = 0;
  std::string_view bytes_;
};

inline size_t VarintBytes(uint64_t value) {
  size_t bytes = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++bytes;
  }
  return bytes;
}

inline void AppendVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

// Fields with a number below 16, whose first varint is one byte.

inline size_t VarintFieldBytes(uint64_t value) { return 1 + VarintBytes(value); }
inline size_t BytesFieldBytes(size_t size) { return 1 + VarintBytes(size) + size; }

inline void AppendTag(std::string* out, uint32_t number, WireType type) {
  out->push_back(static_cast<char>(number << 3 | static_cast<uint32_t>(type)));
}

inline void AppendVarintField(std::string* out, uint32_t number, uint64_t value) {
  AppendTag(out, number, WireType::kVarint);
  AppendVarint(out, value);
}

// The head of a field whose `size` bytes follow.
inline void AppendBytesHead(std::string* out, uint32_t number, size_t size) {
  AppendTag(out, number, WireType::kBytes);
  AppendVarint(out, size);
}

inline void AppendBytesField(std::string* out, uint32_t number, std::string_view bytes) {
  AppendBytesHead(out, number, bytes.size());
  out->append(bytes);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_PROTOBUF_WIRE_H_
