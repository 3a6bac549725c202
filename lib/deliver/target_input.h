// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/target_input.h -- floor 4: what a rule's target gets in place of the event: a
// constant, a part of the event, or a template that is filled with parts of it.
//
//   {"id": <u>, "path": "users/<u>"}   +   u = "X"   ->   {"id":"X","path":"users/X"}
//
// Values are taken from the event as they stand there, as JSON text: nothing is decoded, so no digit
// is lost, and what stood escaped between quotes goes escaped between quotes again.
//
// I1  A template is either strings, if nothing but JSON strings (one or more, with white space
//     around them) makes it up, or else JSON.
// I2  Between quotes, a string loses its own quotes. An object or array goes into a template of
//     strings without any quotes; into one of JSON as it is, which usually ends the string early
//     and makes the result invalid.
// I3  Outside quotes a value goes in as it is, a string with its quotes.
// I4  A path that finds nothing stands for an empty string. Nothing else does: 0, false, null, []
//     and "" are values.
// I5  What a template of strings makes is delivered as it is, each string in its quotes. What a
//     template of JSON makes is delivered without white space between tokens, and only if it is one
//     JSON value.
//
// Source  the table of recorded cases in the specification, section 4
#ifndef BANYAN_LIB_DELIVER_TARGET_INPUT_H_
#define BANYAN_LIB_DELIVER_TARGET_INPUT_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/limits.h"
#include "banyan/target.h"
#include "deliver/json_path.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

// What the predefined variables of a template tell of the rule.
struct RuleNames {
  std::string arn;
  std::string name;
};

class TargetInput {
 public:
  // Null if the target takes events as they are. `id` and `index` (from 1) of the target are part
  // of the texts of errors.
  static absl::StatusOr<std::shared_ptr<const TargetInput>> Compile(const Target& target,
                                                                    std::string_view id,
                                                                    size_t index,
                                                                    const Limits& limits);

  // An error: the template made no JSON of this event (I5).
  absl::StatusOr<std::string> Render(const Message& event, const RuleNames& rule) const;

  // The text, if it is the same for every event.
  const std::string* constant() const { return std::get_if<std::string>(&form_); }

 private:
  enum class Variable { kPath, kRuleArn, kRuleName, kIngestionTime, kEvent, kEventJson };
  struct Placeholder {
    Variable variable = Variable::kPath;
    size_t path = 0;  // for kPath: which
    bool between_quotes = false;
  };
  struct Piece {
    std::string text;
    Placeholder then;
  };
  struct Template {
    explicit Template(absl::Span<const JsonPath> its_paths) : paths(its_paths) {}

    JsonPathSet paths;
    std::vector<Piece> pieces;
    std::string end;  // the text behind the last placeholder
    bool is_strings = false;
  };
  using Form = std::variant<std::string, JsonPath, Template>;  // what is a string is constant

  explicit TargetInput(Form form) : form_(std::move(form)) {}

  static absl::StatusOr<Template> CompileTemplate(const Target& target, std::string_view id,
                                                  size_t index, const Limits& limits);
  static absl::StatusOr<std::string> Fill(const Template& form, const Message& event,
                                          const RuleNames& rule);

  const Form form_;
};

// Makes a courier's form (see CourierPlan) for a target of a rule: with `input` in place of the
// event, if there is one, and in `group_id`, if it is not empty. Null if there is neither.
std::function<absl::Status(Delivery&)> MakeTargetForm(std::shared_ptr<const TargetInput> input,
                                                      std::string group_id, RuleNames rule);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_TARGET_INPUT_H_
