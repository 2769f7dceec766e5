#pragma once

#include "actors/transport/tls_context.hpp"
#include "apps/options/option_values.hpp"
#include "messages/endpoint.hpp"

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace dybw {

/// The options `--tls-cert`, `--tls-key`, `--tls-ca` and `--tls-crl`, the same for every command that talks
/// to nodes.
boost::program_options::options_description tls_option_group();

/// Their files, checked; what is not given is taken from the environment (DYBW_TLS_CERT, DYBW_TLS_KEY,
/// DYBW_TLS_CA, DYBW_TLS_CRL). Nothing if there is none of them. Throws `input_error` (configuration fault)
/// if one of the first three is missing, or they do not fit together.
std::optional<tls_files> read_tls(const option_values& given);

/// Throws `input_error` (configuration fault) unless our certificate, if there is one, names one of the
/// roles; the other side would say so as well, later. `needed`: "the role launcher".
void check_role(const std::optional<tls_files>& files, std::initializer_list<peer_role> roles,
                const std::string& needed);

/// What a command needs behind its other words to use the same files: blank, option, file and so on.
std::string tls_words(const std::optional<tls_files>& files);

/// The nodes of `--nodes` (HOST:PORT, separated by commas). Throws `input_error` (configuration fault), also
/// for a node that is named twice.
std::vector<endpoint> parse_nodes(const std::string& list);

/// The nodes of `--nodes-file`: one HOST:PORT per line, `#` starts a comment. Throws `input_error` naming
/// file and line (data fault if the file cannot be read).
std::vector<endpoint> read_nodes_file(const std::filesystem::path& file);

/// The node that is the only word behind "dybw status" or "dybw stop".
endpoint read_node(const option_values& given, const std::string& command);

} // namespace dybw
