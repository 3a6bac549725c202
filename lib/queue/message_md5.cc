// SPDX-License-Identifier: Apache-2.0
//
// What is digested, for each attribute in the order of names:
//
//   u32 length, name | u32 length, type | u8 transport: 1 text, 2 binary | u32 length, value
//
// with lengths in bytes, big-endian, and the type as given, its label included.
#include "banyan/message_md5.h"

#include <cstdint>

#include "base/hash.h"

namespace banyan::inline v0_1 {

namespace {

void AppendSized(std::string* out, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  for (const int shift : {24, 16, 8, 0}) out->push_back(static_cast<char>(size >> shift & 0xFF));
  out->append(text);
}

bool AsksFor(std::string_view wanted, std::string_view name) {
  if (wanted == "All" || wanted == "*") return true;
  if (!wanted.ends_with(".*")) return wanted == name;
  wanted.remove_suffix(2);
  return name.starts_with(wanted);
}

}  // namespace

std::string Md5OfBody(std::string_view body) { return internal::Md5Hex(body); }

std::optional<std::string> Md5OfAttributes(const Attributes& attributes) {
  if (attributes.empty()) return std::nullopt;
  std::string bytes;
  for (const auto& [name, value] : attributes) {  // sorted by name
    AppendSized(&bytes, name);
    AppendSized(&bytes, value.type);
    bytes.push_back(value.base_type() == "Binary" ? '\x02' : '\x01');
    AppendSized(&bytes, value.value);
  }
  return internal::Md5Hex(bytes);
}

std::optional<std::string> Md5OfSystemAttributes(std::string_view trace_header) {
  Attributes sent;
  if (!trace_header.empty()) sent.Set("AWSTraceHeader", std::string(trace_header));
  return Md5OfAttributes(sent);
}

Attributes SelectMessageAttributes(const Attributes& attributes,
                                   absl::Span<const std::string> names) {
  Attributes selected;
  for (const auto& [name, value] : attributes) {
    for (const std::string& wanted : names) {
      if (!AsksFor(wanted, name)) continue;
      selected.Set(name, value);
      break;
    }
  }
  return selected;
}

}  // namespace banyan::inline v0_1
