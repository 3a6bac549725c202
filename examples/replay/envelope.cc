// SPDX-License-Identifier: Apache-2.0
#include "envelope.h"

#include "rapidjson/error/en.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace replay {
namespace {

// Watches the outermost object of a text go by; keeps nothing of the rest.
class ShapeHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ShapeHandler> {
 public:
  bool is_object() const { return is_object_; }
  bool is_event() const { return has_source_ && has_detail_type_ && has_detail_; }

  bool Default() {
    if (depth_ == 1) key_.clear();
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (depth_ == 1) key_.assign(text, size);
    return true;
  }
  bool String(const char*, rapidjson::SizeType, bool) {
    if (depth_ == 1 && key_ == "source") has_source_ = true;
    if (depth_ == 1 && key_ == "detail-type") has_detail_type_ = true;
    return Default();
  }
  // Without this, numbers kept as text would arrive as strings.
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return Default(); }
  bool StartObject() {
    if (depth_ == 0) is_object_ = true;
    if (depth_ == 1 && key_ == "detail") has_detail_ = true;
    return Start();
  }
  bool StartArray() { return Start(); }
  bool EndObject(rapidjson::SizeType) { return End(); }
  bool EndArray(rapidjson::SizeType) { return End(); }

 private:
  bool Start() {
    ++depth_;
    return true;
  }
  bool End() {
    --depth_;
    return true;
  }

  int depth_ = 0;
  std::string key_;  // of the member whose value comes next, in the outermost object
  bool is_object_ = false;
  bool has_source_ = false;
  bool has_detail_type_ = false;
  bool has_detail_ = false;
};

std::string Quoted(std::string_view text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

Envelope PutIntoEnvelope(std::string_view line, std::string_view detail_type) {
  // Iterative: a line of a million brackets must not end the program.
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag |
                              rapidjson::kParseValidateEncodingFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  ShapeHandler shape;
  rapidjson::Reader reader;
  rapidjson::MemoryStream stream(line.data(), line.size());
  reader.Parse<kFlags>(stream, shape);

  if (reader.HasParseError()) {
    return {.event = {},
            .reason = rapidjson::GetParseError_En(reader.GetParseErrorCode()),
            .error_byte = reader.GetErrorOffset() + 1};
  }
  if (!shape.is_object()) return {.event = {}, .reason = "Not a JSON object.", .error_byte = 1};
  if (shape.is_event()) return {.event = std::string(line), .reason = {}, .error_byte = 0};

  std::string event = R"({"source":"replay","detail-type":)";
  event += Quoted(detail_type);
  event += R"(,"detail":)";
  event += line;
  event += '}';
  return {.event = std::move(event), .reason = {}, .error_byte = 0};
}

}  // namespace replay
