// SPDX-License-Identifier: Apache-2.0
#include "generate.h"

#include <string_view>

namespace replay {
namespace {

std::string Enveloped(std::string_view source, std::string_view detail_type,
                      const std::string& detail) {
  std::string event = R"({"source":")";
  event += source;
  event += R"(","detail-type":")";
  event += detail_type;
  event += R"(","resources":[],"detail":)";
  event += detail;
  event += '}';
  return event;
}

}  // namespace

std::string GenerateLine(int64_t index) {
  const std::string number = std::to_string(index);
  const int64_t of_hundred = index % 100;
  if (of_hundred == 49) return R"({"order":")" + number + R"(","total":)";  // cut off
  if (of_hundred == 98) return R"({"order":")" + number + R"(",})";         // a comma too many
  if (of_hundred == 99) return number;                                      // no object

  const int64_t tens = of_hundred / 10;  // 0 to 9: varies what is inside
  switch (index % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
      return Enveloped("shop.orders", "OrderPlaced",
                       R"({"order":")" + number + R"(","total":)" + std::to_string(tens * 20) +
                           R"(,"country":")" + (tens % 2 == 0 ? "DE" : "FR") + R"("})");
    case 4:
    case 5:
      return Enveloped("shop.payment", tens < 8 ? "PaymentTaken" : "PaymentRefused",
                       R"({"order":")" + number + R"(","method":")" +
                           (tens % 3 == 0 ? "invoice" : "card") + R"("})");
    case 6:
      return Enveloped("shop.shipping", "ParcelPacked",
                       R"({"order":")" + number +
                           R"(","items":[{"sku":"mug","count":1},{"sku":"lamp","count":)" +
                           std::to_string(tens) + "}]}");
    case 7:
    case 8:
      return R"({"sensor":"hall-)" + std::to_string(index % 7) + R"(","celsius":)" +
             std::to_string(15 + tens) + ".5}";
    default:
      return Enveloped("legacy.billing", "Tick", R"({"number":)" + number + "}");
  }
}

}  // namespace replay
