// affine_sample.cuh - the CUDA kernels: forward, the gradient of theta, and the gradient of the input.
//
// All work out a position once and use it for several channels.  No atomics: sums have one owner and one order, whatever
// the launch.
//
//     forward.cuh           forward_tiling.cuh shares out its work, block.cuh has what a block works out once,
//                           upright.cuh goes down the columns of maps without rotation
//     theta_gradient.cuh    gradient_tiling.cuh shares out the work of both gradients
//     input_gradient.cuh    gather_bounds.cuh finds the samples near a pixel
//     position.cuh          positions and the pixels around them
//     channels.cuh          channels that a thread has together: one by one, or 16 bytes of them
#pragma once

#include "forward.cuh"
#include "input_gradient.cuh"
#include "theta_gradient.cuh"
