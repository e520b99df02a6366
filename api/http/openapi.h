// The OpenAPI 3.0 document of the control socket, GET /openapi.json; in the tree it is
// api/http/openapi.json. It is part of the program, so that it fits whoever serves it. What it says
// is checked against routes and parsers by tests/unit/openapi_test.cpp; docs/api.md is for people.
// Source: OpenAPI Specification 3.0.3.
// Threads: any; the text is constant.
#pragma once

#include <string_view>

namespace coldstart {

/// JSON, in ASCII. Defined by cmake/embed-text.cmake.
std::string_view openapi_document() noexcept;

} // namespace coldstart
