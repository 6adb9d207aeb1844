from tests.limiters_wait import limiters_answer_soon, limiters_wait_long

__all__ = ["limiters_answer_soon", "limiters_wait_long"]
