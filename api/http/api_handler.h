// HTTP requests into requests of the machine, and its answers into HTTP.
// Threads: as HttpHandler; the machine answers on a thread of its own.
#pragma once

#include "api/command/answer.h"
#include "api/http/api_routes.h"
#include "api/http/http_server.h"

namespace coldstart {

class ApiHandler final : public HttpHandler {
  public:
    /// `machine` outlives the server.
    explicit ApiHandler(RequestHandler& machine) : machine_(machine) {}

    void handle(HttpRequest request, std::function<void(HttpAnswer)> done) override;
    bool open_stream(const HttpRequest& request, std::shared_ptr<HttpStream> stream) override;
    bool may_omit_body(const HttpRequest& request) const override;

  private:
    RequestHandler& machine_;
};

} // namespace coldstart
