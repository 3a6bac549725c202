// SPDX-License-Identifier: Apache-2.0
#include "deliver/target_input.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/time/time.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kKeyMax = 256;
constexpr std::string_view kReservedKeys = "AWS";

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// The predefined variables have dots besides.
bool IsVariableCharacter(char c) { return IsKeyCharacter(c) || c == '.'; }

// Where a fault is, for the texts of errors.
struct At {
  std::string_view id;  // of the target
  size_t index;

  absl::Status Bad(std::string_view reason) const {
    return Error(AwsError::kBusValidation, "Parameter Target is not valid for target ", id,
                 ". Reason: ", reason);
  }
  absl::Status CheckLength(std::string_view member, std::string_view value, int64_t max) const {
    const bool is_empty = value.empty();
    if (!is_empty && Utf8Characters(value) <= max) return absl::OkStatus();
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", value,
                 "' at 'targets.", index, ".member.", member,
                 "' failed to satisfy constraint: Member must have length ",
                 is_empty ? "greater than or equal to 1" : StrCat("less than or equal to ", max));
  }
  absl::StatusOr<JsonPath> ParsePath(std::string_view path) const {
    std::optional<JsonPath> parsed = JsonPath::Parse(path);
    if (!parsed.has_value()) {
      return Bad(StrCat("\"", path, "\" is not a path like $.detail.order.id."));
    }
    return *std::move(parsed);
  }
};

absl::Status CheckKey(const At& at, std::string_view key) {
  if (key.empty() || key.size() > kKeyMax || !std::all_of(key.begin(), key.end(), IsKeyCharacter)) {
    return at.Bad(StrCat("The key \"", key, "\" of InputPathsMap is not 1 to ", kKeyMax,
                         " letters, digits, hyphens and underscores."));
  }
  if (key.starts_with(kReservedKeys)) {
    return at.Bad(StrCat("The key \"", key, "\" of InputPathsMap begins with ", kReservedKeys,
                         ", which is reserved."));
  }
  return absl::OkStatus();
}

// Is the text one or more JSON strings, with white space around them, and nothing else?
bool IsStrings(std::string_view text) {
  bool found = false;
  for (;;) {
    JsonReader reader(text);
    const JsonToken token = reader.Next();
    if (token == JsonToken::kEnd) return found;
    if (token != JsonToken::kString) return false;
    found = true;
    text.remove_prefix(reader.position());
  }
}

// The variable that `text` begins with, "<name>", as its name; empty if it begins with none.
std::string_view VariableAt(std::string_view text) {
  if (!text.starts_with('<')) return {};
  const auto end = std::find_if_not(text.begin() + 1, text.end(), IsVariableCharacter);
  if (end == text.end() || *end != '>') return {};
  return text.substr(1, static_cast<size_t>(end - text.begin()) - 1);
}

// Appends JSON without the quotes of its names and strings; what is between them stays escaped.
void AppendWithoutQuotes(std::string* out, std::string_view json) {
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') continue;
    out->push_back(json[i]);
    if (json[i] == '\\' && i + 1 < json.size()) out->push_back(json[++i]);
  }
}

// As recorded: the name of one member is another, and the detail is missing.
std::string EventWithoutDetail(std::string_view event) {
  std::string text = "{";
  JsonReader reader(event);
  reader.Next();
  while (reader.Next() == JsonToken::kName) {
    const bool is_detail = reader.text() == "detail";
    const std::string_view name =
        reader.text() == "detail-type" ? std::string_view("\"detailType\"") : reader.raw();
    reader.Next();
    const size_t begin = reader.begin();
    if (!reader.SkipValue()) break;
    if (is_detail) continue;
    StrAppend(&text, text.size() > 1 ? "," : "", name, ":",
              event.substr(begin, reader.end() - begin));
  }
  text.push_back('}');
  return text;
}

// What a destination reads in place of the event.
class RenderedInput final : public Presentation {
 public:
  RenderedInput(std::string_view body, std::string group_id)
      : body_(body), group_id_(std::move(group_id)) {}

  Payload Body(const Message&) const override { return body_; }
  size_t Size(const Message&) const override { return body_.size(); }
  bool ShowsAttributes() const override { return false; }
  std::string_view GroupId(const Message&) const override { return group_id_; }

 private:
  const Payload body_;
  const std::string group_id_;
};

}  // namespace

// ---------------------------------------------------------------------------------------------
// Compiling
// ---------------------------------------------------------------------------------------------

absl::StatusOr<std::shared_ptr<const TargetInput>> TargetInput::Compile(const Target& target,
                                                                        std::string_view id,
                                                                        size_t index,
                                                                        const Limits& limits) {
  const At at = {id, index};
  const int given = (target.input().has_value() ? 1 : 0) +
                    (target.input_path().has_value() ? 1 : 0) +
                    (target.input_template().has_value() ? 1 : 0);
  if (given > 1) {
    return Error(AwsError::kBusValidation,
                 "Only one of Input, InputPath, or InputTransformer must be provided for target ",
                 id, ".");
  }
  std::optional<Form> form;
  if (target.input().has_value()) {
    const std::string& constant = *target.input();
    BANYAN_RETURN_IF_ERROR(at.CheckLength("input", constant, limits.bus.input_max));
    std::string compact, error;
    if (!CompactJson(constant, &compact, &error)) {
      return at.Bad(StrCat("Input is not JSON: ", error, "."));
    }
    form = constant;
  } else if (target.input_path().has_value()) {
    const std::string& path = *target.input_path();
    BANYAN_RETURN_IF_ERROR(at.CheckLength("inputPath", path, limits.bus.input_path_max));
    BANYAN_ASSIGN_OR_RETURN(form, at.ParsePath(path));
  } else if (target.input_template().has_value()) {
    BANYAN_ASSIGN_OR_RETURN(form, CompileTemplate(target, id, index, limits));
  } else {
    return std::shared_ptr<const TargetInput>();
  }
  return std::shared_ptr<const TargetInput>(new TargetInput(*std::move(form)));
}

absl::StatusOr<TargetInput::Template> TargetInput::CompileTemplate(const Target& target,
                                                                   std::string_view id,
                                                                   size_t index,
                                                                   const Limits& limits) {
  const At at = {id, index};
  const std::string_view text = *target.input_template();
  BANYAN_RETURN_IF_ERROR(
      at.CheckLength("inputTransformer.inputTemplate", text, limits.bus.input_max));
  if (static_cast<int64_t>(target.input_paths().size()) > limits.bus.input_paths_max) {
    return at.Bad(StrCat("InputPathsMap has ", target.input_paths().size(), " paths; at most ",
                         limits.bus.input_paths_max, " are allowed."));
  }
  std::map<std::string_view, Placeholder> variables = {
      {"aws.events.rule-arn", {.variable = Variable::kRuleArn}},
      {"aws.events.rule-name", {.variable = Variable::kRuleName}},
      {"aws.events.event.ingestion-time", {.variable = Variable::kIngestionTime}},
      {"aws.events.event", {.variable = Variable::kEvent}},
      {"aws.events.event.json", {.variable = Variable::kEventJson}},
  };
  std::vector<JsonPath> paths;
  for (const auto& [key, path] : target.input_paths()) {
    BANYAN_RETURN_IF_ERROR(CheckKey(at, key));
    BANYAN_RETURN_IF_ERROR(
        at.CheckLength("inputTransformer.inputPathsMap", path, limits.bus.input_path_max));
    BANYAN_ASSIGN_OR_RETURN(JsonPath parsed, at.ParsePath(path));
    if (parsed.has_bracketed_name()) {
      return at.Bad(StrCat("\"", path, "\" of InputPathsMap is not in dot notation."));
    }
    variables[key] = {.variable = Variable::kPath, .path = paths.size()};
    paths.push_back(std::move(parsed));
  }

  Template form(paths);
  form.is_strings = IsStrings(text);
  bool between_quotes = false;
  std::string piece;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view name = VariableAt(text.substr(i));
    if (!name.empty()) {
      const auto variable = variables.find(name);
      if (variable == variables.end()) {
        return Error(AwsError::kBusValidation, "InputTemplate for target ", id,
                     " contains invalid placeholder ", name, ".");
      }
      form.pieces.push_back({std::exchange(piece, ""), variable->second});
      form.pieces.back().then.between_quotes = between_quotes;
      i += name.size() + 1;
      continue;
    }
    piece.push_back(text[i]);
    if (text[i] == '"') between_quotes = !between_quotes;
    // The character behind a backslash ends no string.
    if (between_quotes && text[i] == '\\' && i + 1 < text.size()) piece.push_back(text[++i]);
  }
  form.end = std::move(piece);
  return form;
}

// ---------------------------------------------------------------------------------------------
// Rendering
// ---------------------------------------------------------------------------------------------

absl::StatusOr<std::string> TargetInput::Render(const Message& event, const RuleNames& rule) const {
  if (const std::string* text = constant()) return *text;
  if (const JsonPath* path = std::get_if<JsonPath>(&form_)) {
    const std::string_view found = path->Find(event.body.view());
    return std::string(found.empty() ? "\"\"" : found);  // I4
  }
  return Fill(std::get<Template>(form_), event, rule);
}

absl::StatusOr<std::string> TargetInput::Fill(const Template& form, const Message& event,
                                              const RuleNames& rule) {
  const std::string_view json = event.body.view();
  const std::vector<std::string_view> found = form.paths.Find(json);
  std::string text, made;  // `made`: what a value is a view of, if the event does not hold it
  for (const Piece& piece : form.pieces) {
    text.append(piece.text);
    std::string_view value;
    switch (piece.then.variable) {
      case Variable::kPath:
        value = found[piece.then.path];
        break;
      case Variable::kRuleArn:
        value = made = JsonString(rule.arn);
        break;
      case Variable::kRuleName:
        value = made = JsonString(rule.name);
        break;
      case Variable::kIngestionTime:
        value = made =
            absl::FormatTime("\"%Y-%m-%dT%H:%M:%SZ\"", event.accepted.time(), absl::UTCTimeZone());
        break;
      case Variable::kEvent:
        value = made = EventWithoutDetail(json);
        break;
      case Variable::kEventJson:
        value = json;
        break;
    }
    if (value.empty()) value = "\"\"";  // I4
    if (!piece.then.between_quotes) {
      text.append(value);  // I3
    } else if (value.starts_with('"')) {
      text.append(value.substr(1, value.size() - 2));  // I2
    } else if (form.is_strings) {
      AppendWithoutQuotes(&text, value);
    } else {
      text.append(value);
    }
  }
  text.append(form.end);
  if (form.is_strings) return text;  // I5
  std::string compact, error;
  if (!CompactJson(text, &compact, &error)) {
    return Error(AwsError::kBusValidation,
                 "what its InputTemplate makes of the event is not JSON: ", error);
  }
  return compact;
}

std::function<absl::Status(Delivery&)> MakeTargetForm(std::shared_ptr<const TargetInput> input,
                                                      std::string group_id, RuleNames rule) {
  if (input == nullptr && group_id.empty()) return nullptr;
  std::shared_ptr<const Presentation> same_for_all;
  if (input == nullptr) {
    same_for_all = std::make_shared<const Regrouped>(std::move(group_id));
  } else if (const std::string* constant = input->constant()) {
    same_for_all = std::make_shared<const RenderedInput>(*constant, std::move(group_id));
  }
  if (same_for_all != nullptr) {
    return [same_for_all](Delivery& delivery) {
      delivery.presentation = same_for_all;
      return absl::OkStatus();
    };
  }
  return [input = std::move(input), group_id = std::move(group_id),
          rule = std::move(rule)](Delivery& delivery) -> absl::Status {
    BANYAN_ASSIGN_OR_RETURN(const std::string text, input->Render(*delivery.message, rule));
    delivery.presentation = std::make_shared<const RenderedInput>(text, group_id);
    return absl::OkStatus();
  };
}

}  // namespace banyan::inline v0_1::internal
