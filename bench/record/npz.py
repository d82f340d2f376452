"""Arrays of an npz file that somebody else made: what its headers claim is checked before its data."""

import zipfile
import zlib
from typing import Any, Callable, Dict

MAX_BYTES = 4 * 1000 * 1000 * 1000  # of all arrays of a file
MAX_MEMBERS = 10000
DEFLATE = 1032  # times that deflate can shrink at most; what claims more lies
MAGIC = b"\x93NUMPY\x01\x00"


def load(numpy: Any, path: str, wanted: Callable[[str], bool] = lambda name: True) -> Dict[str, Any]:
    """Return name -> array of an npz at `path`, those that are `wanted`.

    ValueError, in one line, for what is no npz, has pickled objects, or claims more than it can hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS or sum(m.file_size for m in members) > MAX_BYTES:
                raise ValueError("more than {} arrays or {:g} GB".format(MAX_MEMBERS, MAX_BYTES / 1e9))
            names = {m.filename[:-4]: m for m in members if m.filename.endswith(".npy")}
            return {name: _array(numpy, archive, names[name]) for name in names if wanted(name)}
    except OSError as error:
        raise ValueError("cannot be read: {}".format(error.strerror or error)) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise ValueError("not an npz file of arrays: {}".format(" ".join(str(error).split()))) from None
    except (RuntimeError, TypeError, SyntaxError, MemoryError, OverflowError) as error:
        raise ValueError("cannot be read: {}".format(" ".join(str(error).split())[:200])) from None


def _array(numpy: Any, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    if member.file_size > DEFLATE * member.compress_size + 100:
        raise ValueError("{} claims more bytes than it can hold".format(member.filename[:80]))
    with archive.open(member) as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise ValueError("{} is not a numpy array of format 1.0".format(member.filename[:80]))
        shape, _, dtype = numpy.lib.format.read_array_header_1_0(stream)
        count = 1
        for size in shape:
            count *= int(size)
        if dtype.hasobject or count * dtype.itemsize > member.file_size or min(shape + (0,)) < 0:
            raise ValueError("{} has objects or claims more than it holds".format(member.filename[:80]))
    with archive.open(member) as stream:
        return numpy.lib.format.read_array(stream, allow_pickle=False)
