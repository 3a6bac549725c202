// SPDX-License-Identifier: Apache-2.0
//
// lib/message/message.h -- floor 1: the block that travels.
//
//   Publish --> Message (one block: ids, stamps, attributes, Payload)
//                  ^ ^ ^
//      Delivery ---+ | +--- Delivery        one per queue; a few words each
//                    +----- Delivery
//
// M1  A Message never changes after MakeMessage returns; everything that differs per destination
//     (receive count, deadline, receipt, how the body is presented) is in the destination.
// M2  Fan-out, redrive, archive and dead letters move references; a body is copied once, when the
//     caller's bytes come in, and not at all when the caller's buffer was adopted.
#ifndef BANYAN_LIB_MESSAGE_MESSAGE_H_
#define BANYAN_LIB_MESSAGE_MESSAGE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "banyan/attributes.h"
#include "banyan/id.h"
#include "banyan/payload.h"
#include "banyan/runtime.h"
#include "base/memory.h"

namespace banyan::inline v0_1::internal {

// The trace id within a trace header (X-Ray's Root or W3C's second field), as the header writes it;
// the event id as hex where there is no header, or none that says. So everything has one.
std::string TraceId(std::string_view trace_header, const Id& event_id);

struct MessageParts {
  Id id = {};        // given by the resource that accepted it
  Id event_id = {};  // given at first acceptance, kept over every hop
  Instant accepted = {};
  // Any of these may be empty. See MessageTexts.
  std::string trace_header = {};
  std::string subject = {};
  std::string group_id = {};
  std::string deduplication_id = {};
  uint64_t sequence_number = 0;  // with a group_id only; see MessageTexts
  Attributes attributes = {};
  Payload body = {};
};

// What few messages carry. Kept apart, so that the others stay small: a queue under load makes and
// frees one Message per send.
struct MessageTexts {
  std::string trace_header;      // as the caller gave it
  std::string subject;           // of a topic's message
  std::string group_id;          // of a FIFO queue, or a tenant's
  std::string deduplication_id;  // as the caller gave it
  uint64_t sequence_number = 0;  // of a FIFO topic; queues number theirs themselves

  static void* operator new(size_t size) { return Allocate(size); }
  static void operator delete(void* block) { Free(block); }

  // Moves them in; null if all are empty.
  static std::unique_ptr<const MessageTexts> Make(std::string* trace_header, std::string* subject,
                                                  std::string* group_id,
                                                  std::string* deduplication_id,
                                                  uint64_t sequence_number = 0) {
    if (trace_header->empty() && subject->empty() && group_id->empty() &&
        deduplication_id->empty()) {
      return nullptr;
    }
    return std::make_unique<const MessageTexts>(
        MessageTexts{std::move(*trace_header), std::move(*subject), std::move(*group_id),
                     std::move(*deduplication_id), sequence_number});
  }
};

class Message {
 public:
  explicit Message(MessageParts parts)
      : Message(parts.id, parts.event_id, parts.accepted, std::move(parts.body),
                std::move(parts.attributes),
                MessageTexts::Make(&parts.trace_header, &parts.subject, &parts.group_id,
                                   &parts.deduplication_id, parts.sequence_number)) {}

  // `texts`: null if there are none.
  Message(Id its_id, Id its_event_id, Instant its_accepted, Payload its_body,
          Attributes its_attributes, std::unique_ptr<const MessageTexts> texts)
      : id(its_id),
        event_id(its_event_id),
        accepted(its_accepted),
        attributes(std::move(its_attributes)),
        body(std::move(its_body)),
        bytes_(body.size() + attributes.bytes()),
        texts_(std::move(texts)) {}

  const Id id;        // given by the resource that accepted it
  const Id event_id;  // given at first acceptance, kept over every hop
  const Instant accepted;
  const Attributes attributes;
  const Payload body;

  // Beside the payloads: made on one thread, freed on another, all of one size.
  static void* operator new(size_t size) { return Allocate(size); }
  static void operator delete(void* block) { Free(block); }

  // Body and attributes: what counts towards a message's size.
  size_t bytes() const { return bytes_; }

  const std::string& trace_header() const { return texts().trace_header; }
  const std::string& subject() const { return texts().subject; }
  const std::string& group_id() const { return texts().group_id; }
  const std::string& deduplication_id() const { return texts().deduplication_id; }
  uint64_t sequence_number() const { return texts().sequence_number; }
  std::string trace_id() const { return TraceId(trace_header(), event_id); }

 private:
  friend class MessageRef;

  const MessageTexts& texts() const { return texts_ == nullptr ? NoTexts() : *texts_; }
  static const MessageTexts& NoTexts();

  mutable std::atomic<int64_t> references_{1};
  const size_t bytes_;
  const std::unique_ptr<const MessageTexts> texts_;
};

// Counts references to a Message. Null by default.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) {
    if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ == nullptr) return;
    // Who holds the only reference shares it with nobody who could copy it meanwhile: no
    // read-modify-write is needed then. Acquire: we see the reads of those who let go before end.
    if (message_->references_.load(std::memory_order_acquire) == 1 ||
        message_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete message_;
    }
  }

  // Lets go of a message that `other` holds, too, where nobody else could copy either of the two
  // meanwhile: if they are the only ones, no read-modify-write is needed. Acquire: as above.
  void ReleaseBeside(const MessageRef& other) {
    if (message_ == nullptr || message_ != other.message_ ||
        message_->references_.load(std::memory_order_acquire) != 2) {
      return;
    }
    message_->references_.store(1, std::memory_order_release);
    message_ = nullptr;
  }

  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }
  const Message* get() const { return message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend MessageRef MakeMessage(std::unique_ptr<const Message> message);
  explicit MessageRef(const Message* message) : message_(message) {}
  const Message* message_ = nullptr;
};

inline MessageRef MakeMessage(std::unique_ptr<const Message> message) {
  return MessageRef(message.release());
}

inline MessageRef MakeMessage(MessageParts parts) {
  return MakeMessage(std::make_unique<const Message>(std::move(parts)));
}

// How a message looks to the reader of one destination, where that differs from the message
// itself: a topic's notification is an envelope around it. Asked when the message is read, not
// when it is sent, so that fan-out renders nothing.
class Presentation {
 public:
  virtual ~Presentation() = default;
  virtual Payload Body(const Message& message) const = 0;
  // The same for who needs it only while `message` and `*made` are there. Worth overriding where the
  // body is the message's own: a reference less to count.
  virtual std::string_view BodyView(const Message& message, Payload* made) const {
    *made = Body(message);
    return made->view();
  }
  // The size of Body(). Worth overriding where it can be counted without making the body.
  virtual size_t Size(const Message& message) const { return Body(message).size(); }
  // No less than Size(). Worth overriding where counting is dear and a bound is not.
  virtual size_t SizeAtMost(const Message& message) const { return Size(message); }
  // False: the reader sees no attributes (they are inside the body).
  virtual bool ShowsAttributes() const = 0;

  // What Lambda would hand to a function that is delivered to through this subscription.
  virtual std::string LambdaEvent(const Message& message, std::string_view /*source_arn*/) const {
    return std::string(Body(message).view());
  }

  // What a queue takes for the message's group and deduplication id; empty: none. The views live as
  // long as the message and the presentation.
  virtual std::string_view GroupId(const Message& message) const { return message.group_id(); }
  virtual std::string_view DeduplicationId(const Message& message) const {
    return message.deduplication_id();
  }
};

// The message as it is, but in a group that its destination has for it; in none if that is empty.
class Regrouped final : public Presentation {
 public:
  explicit Regrouped(std::string group_id) : group_id_(std::move(group_id)) {}

  Payload Body(const Message& message) const override { return message.body; }
  std::string_view BodyView(const Message& message, Payload*) const override {
    return message.body.view();
  }
  size_t Size(const Message& message) const override { return message.body.size(); }
  bool ShowsAttributes() const override { return true; }
  std::string_view GroupId(const Message&) const override { return group_id_; }

 private:
  const std::string group_id_;
};

// Of a dead letter: the way to where it was to go. Whoever redrives its queue asks it.
class WayBack {
 public:
  virtual ~WayBack() = default;

  // Delivers the message again, as at first and with as many attempts. False, and nothing has
  // happened: what it came through is gone, or its destination will not take it. Called under no
  // lock.
  virtual bool Redeliver() const = 0;
};

// One message on its way to one destination.
struct Delivery {
  MessageRef message;
  std::shared_ptr<const Presentation> presentation = nullptr;  // null: as it is

  // For destinations that tell their user: the subscription or rule it comes through, and which
  // attempt this is. The view lives until the destination has answered.
  std::string_view source_arn = {};
  int64_t attempt = 1;

  // An event that another bus has forwarded to the one it is delivered from.
  bool from_bus = false;

  // It was accepted before, and this is the last place it can rest: a dead letter. A queue then
  // takes it whatever its own bounds are.
  bool accepted_before = false;
  std::shared_ptr<const WayBack> way_back = nullptr;  // of a dead letter; null: there is none

  // The clock as the publisher read it within this very call; nullopt: read it anew.
  std::optional<Instant> now = std::nullopt;

  // What PresentedBytes() found. Not for others.
  mutable std::optional<size_t> presented_bytes = std::nullopt;

  Payload Body() const {
    return presentation == nullptr ? message->body : presentation->Body(*message);
  }
  std::string_view BodyView(Payload* made) const {
    return presentation == nullptr ? message->body.view() : presentation->BodyView(*message, made);
  }
  bool ShowsAttributes() const {
    return presentation == nullptr || presentation->ShowsAttributes();
  }
  std::string_view GroupId() const {
    return presentation == nullptr ? message->group_id() : presentation->GroupId(*message);
  }
  std::string_view DeduplicationId() const {
    return presentation == nullptr ? message->deduplication_id()
                                   : presentation->DeduplicationId(*message);
  }

  // What the reader gets, in bytes: the body, and the attributes if they are shown. Found once, for
  // a publisher shows one Delivery to a thousand queues, and an envelope's size is a walk over the
  // body. So message and presentation do not change once someone has asked.
  size_t PresentedBytes() const {
    if (presentation == nullptr) return message->bytes();
    if (!presented_bytes.has_value()) {
      presented_bytes = presentation->Size(*message) +
                        (presentation->ShowsAttributes() ? message->attributes.bytes() : 0);
    }
    return *presented_bytes;
  }
  // No less than PresentedBytes(), and cheap.
  size_t PresentedBytesAtMost() const {
    if (presentation == nullptr) return message->bytes();
    return presentation->SizeAtMost(*message) + message->attributes.bytes();
  }
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_MESSAGE_H_
