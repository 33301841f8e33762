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
    bool (*is_conjugate)(const void*);     // at::native::is_conj
    const void* undefined;                 // the implementation of a tensor that is not there
};

// What a tensor was: its type and device, and where its sizes and strides stand, of which those of sizes up to 1 do not
// matter. It needs so many bytes behind its first entry.
struct Fact {
    i64 dtype, device_type, device_index, dim, begin, item, bytes, complex;
};

enum Verdict { SAME, MOVED, OTHER, MISSING };

static inline bool fits(const Torch* torch, Handle tensor, const Fact* fact, const i64* sizes, i64* base) {
    int layout = -1, dtype = -1, device = -1, index = -2;
    i64 dim = -1, offset = 0, room = 0, *size = 0, *stride = 0;
    if (torch->layout(tensor, &layout) || layout != 0) return false;
    if (torch->dtype(tensor, &dtype) || dtype != fact->dtype) return false;
    if (torch->dim(tensor, &dim) || dim != fact->dim) return false;
    if (torch->device_type(tensor, &device) || device != fact->device_type) return false;
    if (torch->device_index(tensor, &index) || index != fact->device_index) return false;
    if (torch->sizes(tensor, &size) || torch->strides(tensor, &stride)) return false;
    const i64* expected = sizes + fact->begin;
    for (i64 k = 0; k < dim; ++k)
        if (size[k] != expected[k] || (size[k] > 1 && stride[k] != expected[dim + k])) return false;
    if (torch->storage_offset(tensor, &offset) || torch->storage_size(tensor, &room)) return false;
    *base = offset * fact->item;
    if (torch->is_negative(tensor) || (fact->complex && torch->is_conjugate(tensor))) return false;
    return *base + fact->bytes <= room;
}

// Bring a tensor into the cache some turns before it is looked at, and its storage, whose address is among its first
// words, a few turns later. Nothing but speed depends on where that address stands.
enum { AHEAD = 24, SOON = 10 };

static inline void fetch(const void* at) {
    __builtin_prefetch(at);
    __builtin_prefetch((const char*)at + 64);
    __builtin_prefetch((const char*)at + 128);
}

static inline void fetch_storage(const void* tensor) {
    const void* const* words = (const void* const*)tensor;
    for (int k = 2; k < 4; ++k) {
        __builtin_prefetch(words[k]);
        __builtin_prefetch((const char*)words[k] + 64);
    }
}

// Parameters and their state. Returns the gravest verdict.
extern "C" i64 look(const Torch* torch, i64 count, const void* const* tensors, const Fact* facts, const i64* sizes,
                    i64* pointers, unsigned char* verdicts) {
    i64 gravest = SAME;
    for (i64 t = 0; t < count; ++t) {
        if (t + AHEAD < count) fetch(tensors[t + AHEAD]);
        if (t + SOON < count) fetch_storage(tensors[t + SOON]);
        i64 base = 0;
        void* at = 0;
        unsigned char found = OTHER;
        Handle tensor = (Handle)&tensors[t];
        if (fits(torch, tensor, &facts[t], sizes, &base) && !torch->data_ptr(tensor, &at) && (at || !facts[t].bytes)) {
            found = (i64)at == pointers[t] ? SAME : MOVED;
            pointers[t] = (i64)at;
        }
        verdicts[t] = found;
        if (found > gravest) gravest = found;
    }
    return gravest;
}

// The gradients of parameters. One that shares its memory with what a step writes is OTHER, unless it is just its own
// parameter: `written` holds, in order, where stretches of memory begin in which parameters and state lie, then their
// ends.
extern "C" i64 look_at_gradients(const Torch* torch, i64 count, const void* const* tensors, const Fact* facts,
                                 const i64* sizes, const i64* owners, const i64* written, i64 written_count,
                                 i64* pointers, unsigned char* verdicts, const void** handles) {
    i64 gravest = SAME;
    for (i64 t = 0; t < count; ++t) {
        if (t + AHEAD < count) fetch(tensors[t + AHEAD]);
        handles[t] = torch->gradient(tensors[t]);
    }
    for (i64 t = 0; t < count; ++t) {
        i64 base = 0;
        void* at = 0;
        unsigned char found = OTHER;
        Handle tensor = (Handle)handles[t];
        if (t + 2 * AHEAD < count) __builtin_prefetch(handles[t + 2 * AHEAD]);
        if (t + AHEAD < count) fetch(*(const void* const*)handles[t + AHEAD]);
        if (t + SOON < count) fetch_storage(*(const void* const*)handles[t + SOON]);
        if (*(const void* const*)tensor == torch->undefined) {
            found = MISSING;
        } else if (fits(torch, tensor, &facts[t], sizes, &base) && !torch->data_ptr(tensor, &at) &&
                   (at || !facts[t].bytes)) {
            const i64 begin = (i64)at, end = begin + facts[t].bytes;
            const bool askew = begin % facts[t].item;
            i64 low = 0, high = written_count;
            while (low < high) {
                const i64 middle = (low + high) / 2;
                if (written[middle] < end) low = middle + 1;
                else high = middle;
            }
            const bool shared = low && written[written_count + low - 1] > begin;
            found = askew || (shared && begin != owners[t]) ? OTHER : SAME;
            pointers[t] = (i64)at;
        }
        verdicts[t] = found;
        if (found > gravest) gravest = found;
    }
    return gravest;
}

// Whether Python's tensors still stand for the implementations that they stood for. An object that owns one has its
// address at `offset`; nothing else can stand there that is equal to it.
extern "C" i64 stand_for(i64 count, const char* const* objects, i64 offset, const void* const* tensors) {
    i64 others = 0;
    for (i64 t = 0; t < count && t < 64; ++t) __builtin_prefetch(objects[t] + offset);
    for (i64 t = 0; t < count; ++t) {
        if (t + 64 < count) __builtin_prefetch(objects[t + 64] + offset);
        others += *(const void* const*)(objects[t] + offset) != tensors[t];
    }
    return !others;
}
