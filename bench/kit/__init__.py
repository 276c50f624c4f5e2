"""What every runner shares: workloads, their bounds, the recording of a run and the figures that follow.

Only the standard library is used, since the runners of other systems import it in environments of their own.
"""
