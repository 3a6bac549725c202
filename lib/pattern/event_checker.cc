// SPDX-License-Identifier: Apache-2.0
#include "pattern/event_checker.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/outline_builder.h"
#include "simdjson.h"

namespace banyan::inline v0_1::internal {
namespace {

// Offsets are 32 bits.
constexpr size_t kTextBytesMax = std::numeric_limits<uint32_t>::max();

// What is larger is left to JsonReader: the index takes up to four bytes for each of the text.
constexpr size_t kFastBytesMax = size_t{64} << 20;

// Scratch for a text of this size stays: so much for the copy, four times as much for the index,
// and twice as much for each of the outline's four stores.
constexpr size_t kKeptBytes = size_t{64} << 10;
constexpr size_t kFirstBytes = size_t{4} << 10;

static_assert(OutlineBuilder::kPadding <= simdjson::SIMDJSON_PADDING);

// What may stand behind a number or literal inside an object or array.
constexpr std::array<bool, 256> kEndsScalar = [] {
  std::array<bool, 256> ends = {};
  for (char c : {' ', '\t', '\n', '\r', ',', ']', '}'}) ends[static_cast<unsigned char>(c)] = true;
  return ends;
}();

bool EndsScalar(char c) { return kEndsScalar[static_cast<unsigned char>(c)]; }

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

// All of these read up to eight bytes at once, wherever they are.

const char* SkipDigits(const char* p) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  while (true) {
    const uint64_t values = Load64(p) ^ (kOnes * '0');
    // The high bit of each byte whose value is not 0..9. No sum reaches into the next byte.
    const uint64_t others =
        (((values & (kOnes * 0x7F)) + kOnes * (0x80 - 10)) | values) & (kOnes * 0x80);
    if (others != 0) return p + std::countr_zero(others) / 8;
    p += 8;
  }
}

bool IsNumber(const char* p) {
  if (*p == '-') ++p;
  const char* digits = p;
  p = *p == '0' ? p + 1 : SkipDigits(p);
  if (p == digits) return false;
  if (*p == '.') {
    digits = ++p;
    p = SkipDigits(p);
    if (p == digits) return false;
  }
  if ((*p | 0x20) == 'e') {
    ++p;
    if (*p == '+' || *p == '-') ++p;
    digits = p;
    p = SkipDigits(p);
    if (p == digits) return false;
  }
  return EndsScalar(*p);
}

template <size_t kSize>
bool IsWord(const char* p, const char (&word)[kSize]) {
  return std::memcmp(p, word, kSize - 1) == 0 && EndsScalar(p[kSize - 1]);
}

// Whether each backslash begins an escape. All of them are inside strings.
bool EscapesAreValid(const char* p, const char* end) {
  while (true) {
    p = static_cast<const char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
    if (p == nullptr) return true;
    if (p[1] == 'u') {
      if (!std::all_of(p + 2, p + 6, IsHexDigit)) return false;
    } else if (std::memchr("\"\\/bfnrt", p[1], 8) == nullptr) {
      return false;
    }
    p += 2;
  }
}

// Walks over the index of `text`, whose first token is at *index. The index ends with the offset of
// a zero byte, which no part of the grammar accepts, so that nobody has to ask where it ends.
// Nullptr, or the event's closing brace. *is_bomb: more names or depth than the limits allow, so
// there is no event here, whatever else may be wrong with it.
const char* Walk(const char* text, const uint32_t* index, const Limits::Pattern& limits,
                 OutlineBuilder* outline, bool* is_bomb) {
  const char* const event = text + *index;
  if (*event != '{') return nullptr;
  const size_t depth_max = static_cast<size_t>(limits.depth_max);
  int64_t names_left = limits.event_names_max;
  bool in_object = false;
  while (true) {
    if (in_object) {
      const char* const name = text + *index++;
      const char* const colon = text + *index++;
      if (*name != '"' || *colon != ':') return nullptr;
      if (--names_left < 0) {
        *is_bomb = true;
        return nullptr;
      }
      const char* end = colon - 1;
      while (*end != '"') --end;  // over white space: nothing else stands behind a string (C2)
      outline->Name(name + 1, static_cast<size_t>(end - name - 1));
    }

    const char* const value = text + *index++;
    switch (*value) {
      case '{':
      case '[':
        in_object = *value == '{';
        if (outline->depth() >= depth_max) {
          *is_bomb = true;
          return nullptr;
        }
        outline->Open(static_cast<uint32_t>(value - event), in_object);
        if (text[*index] != (in_object ? '}' : ']')) continue;
        break;
      case '"':
        break;
      case 't':
        if (!IsWord(value, "true")) return nullptr;
        break;
      case 'f':
        if (!IsWord(value, "false")) return nullptr;
        break;
      case 'n':
        if (!IsWord(value, "null")) return nullptr;
        break;
      default:
        if (!IsNumber(value)) return nullptr;
        break;
    }

    // Behind a value: a comma, or brackets that close and are values themselves.
    while (true) {
      const char* const behind = text + *index++;
      if (*behind == ',') break;
      if (*behind != (in_object ? '}' : ']')) return nullptr;
      outline->Close(static_cast<uint32_t>(behind + 1 - event));
      if (outline->depth() == 0) return behind;
      in_object = outline->in_object();
    }
  }
}

absl::Status Refused(std::string_view reason) {
  return Error(AwsError::kBusInvalidArgument, "Parameter Event is not valid. Reason: ", reason,
               ".");
}

}  // namespace

struct EventChecker::Scratch {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
  std::unique_ptr<char[]> text;
  size_t capacity = 0;  // of `text`, padding aside, and of the parser's index
  OutlineBuilder outline;

  // False where simdjson has no memory, or no code for this machine.
  bool Reserve(size_t bytes) {
    if (bytes <= capacity) return true;
    const size_t wanted = std::max(kFirstBytes, std::bit_ceil(bytes));
    capacity = 0;
    const simdjson::error_code error =
        parser == nullptr ? simdjson::get_active_implementation()->create_dom_parser_implementation(
                                wanted, 1, parser)
                          : parser->set_capacity(wanted);
    if (error != simdjson::SUCCESS) return false;
    text = std::make_unique_for_overwrite<char[]>(wanted + simdjson::SIMDJSON_PADDING);
    capacity = wanted;
    return true;
  }

  void Trim() {
    if (capacity > kKeptBytes) {
      parser.reset();
      text.reset();
      capacity = 0;
    }
    outline.Trim(2 * kKeptBytes);
  }
};

EventChecker::EventChecker() = default;
EventChecker::~EventChecker() = default;

bool EventChecker::Check(std::string_view json, const Limits& limits, CheckedEvent* event,
                         absl::Status* status, bool* beyond_limits) {
  event->json_ = {};
  // The jumps of a large event before this one are not kept for it.
  if (event->outline_.jumps.capacity() * sizeof(EventOutline::Jump) > 2 * kKeptBytes) {
    event->outline_ = EventOutline();
  }
  const int64_t bytes_max =
      std::min(limits.pattern.event_bytes_max, static_cast<int64_t>(kTextBytesMax));
  bool is_event = false;
  if (static_cast<int64_t>(json.size()) <= bytes_max) {
    if (scratch_ == nullptr) scratch_ = std::make_unique<Scratch>();
    bool is_bomb = false;
    is_event = CheckFast(json, limits.pattern, event, &is_bomb);
    // A bomb is read a second time only for somebody who wants words.
    if (!is_event && !(is_bomb && status == nullptr)) {
      is_event = CheckStrictly(json, limits.pattern, event, status);
    }
    scratch_->Trim();
    if (beyond_limits != nullptr) *beyond_limits = !is_event && is_bomb;
  } else {
    if (beyond_limits != nullptr) *beyond_limits = true;
    if (status != nullptr)
      *status = Refused(StrCat("the event has ", json.size(), " bytes; at most ", bytes_max,
                               " are allowed (limits.pattern.event_bytes_max)"));
  }
  if (!is_event) {
    event->outline_.jumps.clear();
    event->outline_.has_escapes = event->outline_.may_repeat = false;
  }
  return is_event;
}

bool EventChecker::CheckFast(std::string_view json, const Limits::Pattern& limits,
                             CheckedEvent* event, bool* is_bomb) {
  if (json.empty() || json.size() > kFastBytesMax) return false;
  if (!scratch_->Reserve(json.size() + 1)) return false;
  char* const text = scratch_->text.get();
  std::memcpy(text, json.data(), json.size());
  std::memset(text + json.size(), 0, simdjson::SIMDJSON_PADDING);
  simdjson::internal::dom_parser_implementation& parser = *scratch_->parser;
  if (parser.stage1(reinterpret_cast<const uint8_t*>(text), json.size(),
                    simdjson::stage1_mode::regular) != simdjson::SUCCESS) {
    return false;
  }
  // There is room: the index could hold one entry for each byte of the capacity, and some more.
  uint32_t* const index = parser.structural_indexes.get();
  index[parser.n_structural_indexes] = static_cast<uint32_t>(json.size());

  OutlineBuilder& outline = scratch_->outline;
  outline.Start(json.size(), &event->outline_);
  const char* const brace = Walk(text, index, limits, &outline, is_bomb);
  if (brace == nullptr) return false;
  const size_t begin = index[0];
  const size_t size = static_cast<size_t>(brace + 1 - text) - begin;
  if (std::memchr(text + begin, '\\', size) != nullptr) {
    if (!EscapesAreValid(text + begin, brace)) return false;
    event->outline_.has_escapes = true;
  }
  outline.Finish();
  event->json_ = json.substr(begin, size);
  return true;
}

bool EventChecker::CheckStrictly(std::string_view json, const Limits::Pattern& limits,
                                 CheckedEvent* event, absl::Status* status) {
  const auto refuse = [status](auto words) {
    if (status != nullptr) *status = Refused(words());
    return false;
  };
  JsonReader reader(json, static_cast<size_t>(limits.depth_max));
  reader.Next();
  if (reader.token() == JsonToken::kEnd) {
    return refuse(
        [&] { return AtPosition("there is no JSON value in the text", json, reader.position()); });
  }
  if (reader.token() != JsonToken::kStartObject && reader.token() != JsonToken::kError) {
    return refuse([&] { return AtPosition("it is not a JSON object", json, reader.begin()); });
  }
  const size_t begin = reader.begin();
  int64_t names = 0;
  OutlineBuilder& outline = scratch_->outline;
  outline.Start(json.size() - begin, &event->outline_);
  while (true) {
    switch (reader.token()) {
      case JsonToken::kError:
        return refuse([&] { return AtPosition(reader.ErrorText(), json, reader.error_offset()); });
      case JsonToken::kStartObject:
      case JsonToken::kStartArray:
        outline.Open(static_cast<uint32_t>(reader.begin() - begin),
                     reader.token() == JsonToken::kStartObject);
        break;
      case JsonToken::kEndObject:
      case JsonToken::kEndArray:
        outline.Close(static_cast<uint32_t>(reader.end() - begin));
        break;
      case JsonToken::kName:
        if (++names > limits.event_names_max) {
          return refuse([&] {
            return AtPosition(
                StrCat("the event has ", names, " names or more; at most ", limits.event_names_max,
                       " are allowed (limits.pattern.event_names_max)"),
                json, reader.begin());
          });
        }
        break;
      default:
        break;
    }
    if (outline.depth() == 0) break;
    reader.Next();
  }
  outline.Finish();
  event->json_ = json.substr(begin, reader.end() - begin);
  event->outline_.has_escapes = event->json_.find('\\') != std::string_view::npos;
  event->outline_.may_repeat = true;  // hardly ever wanted here, and so not looked into
  return true;
}

}  // namespace banyan::inline v0_1::internal
