static inline float sigmoid_(float x) { return 1.f / (1.f + exp_(-x)); }
