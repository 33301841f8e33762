// Random bits of an entry: a hash of its tensor's key and its place.
static inline unsigned mixed(unsigned x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}
static inline unsigned drawn(unsigned key, unsigned place) { return mixed(place * 0x9e3779b9u + key); }
static inline float uniform(unsigned key, unsigned place) { return (float)(int)(drawn(key, place) >> 8) * 0x1p-24f; }
