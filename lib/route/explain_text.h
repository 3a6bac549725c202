// SPDX-License-Identifier: Apache-2.0
//
// lib/route/explain_text.h -- floor 5: a forecast as a line of text.
#ifndef BANYAN_LIB_ROUTE_EXPLAIN_TEXT_H_
#define BANYAN_LIB_ROUTE_EXPLAIN_TEXT_H_

#include <string>

#include "banyan/forecast.h"

namespace banyan::inline v0_1::internal {

// "  retried        queue small: The queue small is full: ...\n"
void AppendForecast(std::string* text, const Forecast& forecast);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_EXPLAIN_TEXT_H_
