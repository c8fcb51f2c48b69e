#include "io/io_error.h"

#include <cerrno>
#include <cstring>

namespace ldlm {
namespace {

const char* advice_for(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT: return "; make room and run again";
    case EFBIG: return "; raise the limit of this process on the size of a file (ulimit -f)";
    case EACCES:
    case EPERM: return "; check its owner and permissions and those of its folder";
    case EROFS: return "; choose a folder on a file system that can be written";
    case EMFILE: return "; raise the limit on open files (ulimit -n)";
    default: return "";
  }
}

}  // namespace

void throw_io_error(const std::string& path, const char* requirement, int error_number) {
  throw IoError(path + " must be " + requirement + ", got: " + std::strerror(error_number) + advice_for(error_number));
}

}  // namespace ldlm
