static inline double sigmoid_(double x) { return 1.0 / (1.0 + exp_(-x)); }
