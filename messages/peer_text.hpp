#pragma once

#include <string>

namespace dybw {

/// Makes text from another machine fit for logs and terminals, in place and never longer: a line break or tab
/// becomes a blank; every other control character, also those of C1 and those that turn the direction of
/// writing, and every byte that is no UTF-8 becomes a question mark. Text that is clean stays as it is.
void clean_peer_text(std::string& text);

} // namespace dybw
