#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dybw {

constexpr std::size_t classes_max = 65'536;

/// The labels of a table as they stand in it, collected row by row, and the classes that they mean.
///
/// Whole numbers (3, 3.0, -1) become classes in ascending order, words in the order of their bytes; either
/// way classes count from 0 without a gap.
class class_labels {
public:
  /// `file` is named in errors and must outlive this.
  explicit class_labels(const std::filesystem::path& file) : file_(&file) {}

  /// Takes the label of the next row. Throws `input_error` (data fault) for a missing one and for more than
  /// `classes_max` different ones.
  void add(std::string_view label, std::size_t line, std::size_t column);

  std::size_t rows() const noexcept { return rows_.size(); }
  /// Different ones, as text.
  std::size_t different() const noexcept { return texts_.size(); }

  struct classes {
    std::size_t count = 0;
    std::vector<std::int32_t> rows; ///< [rows], the class of each
    /// What became of the labels: "labels 1 to 4 are classes 0 to 3"; empty if they were 0 .. count-1.
    std::string mapping;
    bool words = false;
  };

  /// Throws `input_error` (data fault) for numbers that are not whole, for numbers beside words, and for a
  /// single class.
  classes resolve() const;

private:
  struct origin {
    std::string text;
    std::size_t line;
    std::size_t column;
  };

  [[noreturn]] void refuse(const origin& at, const std::string& what, const std::string& mend) const;

  const std::filesystem::path* file_;
  std::unordered_map<std::string, std::int32_t> index_;
  std::vector<origin> texts_;      // in order of appearance
  std::vector<std::int32_t> rows_; // indices into `texts_`
  std::string key_;
};

} // namespace dybw
