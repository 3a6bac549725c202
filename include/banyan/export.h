// SPDX-License-Identifier: Apache-2.0
//
// BANYAN_EXPORT marks what a program outside the library may link to. Everything else is compiled
// with hidden visibility: a shared libbanyan shows these names only.

#ifndef BANYAN_EXPORT_H_
#define BANYAN_EXPORT_H_

#if defined(_WIN32) && defined(BANYAN_SHARED)
#if defined(BANYAN_BUILDING)
#define BANYAN_EXPORT __declspec(dllexport)
#else
#define BANYAN_EXPORT __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define BANYAN_EXPORT __attribute__((visibility("default")))
#else
#define BANYAN_EXPORT
#endif

#endif  // BANYAN_EXPORT_H_
