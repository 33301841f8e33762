// Look at thousands of tensors at once: whether each is still what it was, and where it lies now.
//
// Written against the stable C interface of libtorch, whose functions are handed over by address. A tensor is known by
// the address of its implementation, Tensor._cdata in Python; a handle of that interface points to such an address.

typedef long long i64;
typedef void* Handle;
typedef int (*Get)(Handle, void*);

struct Torch {
    Get data_ptr, layout, dtype, device_type, device_index, dim, sizes, strides, storage_offset, storage_size;
    const void* (*gradient)(const void*);  // c10::TensorImpl::grad, or null
    bool (*is_negative)(const void*);      // at::native::is_neg
    const void* undefined;                 // the implementation of a tensor that is not there
};

// What a tensor was: its type and device, and where its sizes and strides stand, of which those of sizes up to 1 do not
// matter. It needs so many bytes behind its first entry.
struct Fact {
    i64 dtype, device_type, device_index, dim, begin, item, bytes;
};

enum Verdict { SAME, MOVED, OTHER, MISSING };

enum { AHEAD = 16 };

static inline void fetch(const void* at) {
    __builtin_prefetch(at);
    __builtin_prefetch((const char*)at + 64);
    __builtin_prefetch((const char*)at + 128);
}

// How many bytes the storages of some tensors have. Each question is short, so that the processor waits for the memory
// of several at once.
static inline void rooms(const Torch* torch, i64 count, const void* const* tensors, i64* room) {
    for (i64 k = 0; k < count; ++k) {
        room[k] = -1;
        torch->storage_size((Handle)&tensors[k], &room[k]);
    }
}

// Whether a strided tensor is what it was, in a storage of so many bytes; where it begins there.
static inline bool fits(const Torch* torch, Handle tensor, const Fact* fact, const i64* sizes, i64 room, i64* base) {
    int dtype = -1;
    i64 dim = -1, offset = 0, *size = 0, *stride = 0;
    if (torch->dtype(tensor, &dtype) || dtype != fact->dtype) return false;
    if (torch->dim(tensor, &dim) || dim != fact->dim) return false;
    if (torch->sizes(tensor, &size) || torch->strides(tensor, &stride)) return false;
    const i64* expected = sizes + fact->begin;
    for (i64 k = 0; k < dim; ++k)
        if (size[k] != expected[k] || (size[k] > 1 && stride[k] != expected[dim + k])) return false;
    if (torch->storage_offset(tensor, &offset)) return false;
    *base = offset * fact->item;
    return *base + fact->bytes <= room;
}

static inline bool strided(const Torch* torch, Handle tensor) {
    int layout = -1;
    return !torch->layout(tensor, &layout) && layout == 0;
}

static inline bool beside(const Torch* torch, Handle tensor, const Fact* fact) {
    int device = -1, index = -2;
    return !torch->device_type(tensor, &device) && device == fact->device_type &&
           !torch->device_index(tensor, &index) && index == fact->device_index;
}

// Bring Python's objects into the cache before a loop of Python visits them; of dictionaries also what they point to.
extern "C" void warm(i64 count, const char* const* objects, i64 dictionaries, const char* const* held) {
    for (i64 k = 0; k < dictionaries; ++k) __builtin_prefetch(held[k]);
    for (i64 k = 0; k < count; ++k) __builtin_prefetch(objects[k]);
    for (i64 k = 0; k < dictionaries; ++k) {
        const char* const* inside = (const char* const*)held[k];
        for (i64 part = 4; part < 6; ++part) {
            __builtin_prefetch(inside[part]);
            __builtin_prefetch(inside[part] + 64);
        }
    }
}

// Parameters and their state, which were strided when they were looked at first. Returns the gravest verdict.
extern "C" i64 look(const Torch* torch, i64 count, const void* const* tensors, const Fact* facts, const i64* sizes,
                    i64* pointers, unsigned char* verdicts) {
    i64 gravest = SAME, room[AHEAD];
    for (i64 t = 0; t < count && t < AHEAD; ++t) fetch(tensors[t]);
    for (i64 first = 0; first < count; first += AHEAD) {
        const i64 end = first + AHEAD < count ? first + AHEAD : count;
        for (i64 t = end; t < count && t < end + AHEAD; ++t) fetch(tensors[t]);
        rooms(torch, end - first, tensors + first, room);
        for (i64 t = first; t < end; ++t) {
            i64 base = 0;
            void* at = 0;
            unsigned char found = OTHER;
            Handle tensor = (Handle)&tensors[t];
            if (fits(torch, tensor, &facts[t], sizes, room[t - first], &base) && !torch->data_ptr(tensor, &at)) {
                if ((i64)at == pointers[t]) found = SAME;
                else if (at && beside(torch, tensor, &facts[t])) found = MOVED;
                else if (!facts[t].bytes) found = MOVED;
                pointers[t] = (i64)at;
            }
            verdicts[t] = found;
            if (found > gravest) gravest = found;
        }
    }
    return gravest;
}

// The gradients of parameters. One that shares its memory with what a step writes is OTHER, unless it is just its own
// parameter: `written` holds, in order, where the storages of parameters and state begin.
extern "C" i64 look_at_gradients(const Torch* torch, i64 count, const void* const* tensors, const Fact* facts,
                                 const i64* sizes, const i64* owners, const i64* written, i64 written_count,
                                 i64* pointers, unsigned char* verdicts, const void** handles) {
    i64 gravest = SAME, room[AHEAD];
    const void* impls[AHEAD];
    for (i64 t = 0; t < count && t < AHEAD; ++t) fetch(tensors[t]);
    for (i64 t = 0; t < count; ++t) {
        if (t + AHEAD < count) fetch(tensors[t + AHEAD]);
        handles[t] = torch->gradient(tensors[t]);
    }
    for (i64 t = 0; t < count && t < AHEAD; ++t) fetch(*(const void* const*)handles[t]);
    for (i64 first = 0; first < count; first += AHEAD) {
        const i64 end = first + AHEAD < count ? first + AHEAD : count;
        for (i64 t = end; t < count && t < end + AHEAD; ++t) fetch(*(const void* const*)handles[t]);
        for (i64 t = first; t < end; ++t) impls[t - first] = *(const void* const*)handles[t];
        for (i64 t = first; t < end; ++t) {
            room[t - first] = -1;
            if (impls[t - first] != torch->undefined && strided(torch, (Handle)handles[t]))
                torch->storage_size((Handle)handles[t], &room[t - first]);
        }
        for (i64 t = first; t < end; ++t) {
            i64 base = 0;
            void* at = 0;
            unsigned char found = OTHER;
            Handle tensor = (Handle)handles[t];
            if (impls[t - first] == torch->undefined) {
                found = MISSING;
            } else if (room[t - first] >= 0 && fits(torch, tensor, &facts[t], sizes, room[t - first], &base) &&
                       beside(torch, tensor, &facts[t]) && !torch->is_negative(tensor) &&
                       !torch->data_ptr(tensor, &at) && (at || !facts[t].bytes)) {
                const i64 begin = (i64)at - base;
                i64 low = 0, high = written_count;
                while (low < high) {
                    const i64 middle = (low + high) / 2;
                    if (written[middle] < begin) low = middle + 1;
                    else high = middle;
                }
                const bool shared = low < written_count && written[low] == begin;
                found = shared && (i64)at != owners[t] ? OTHER : SAME;
                pointers[t] = (i64)at;
            }
            verdicts[t] = found;
            if (found > gravest) gravest = found;
        }
    }
    return gravest;
}
