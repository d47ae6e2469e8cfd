"""Which scheme for which parameter: slots, companions, rules and the plan that results.

Plain data in, plain data out. A framework's room says what the parameters of a model are (slots),
this room decides (plan), and the draws make the numbers.
"""

from fanin.recipes.assign import Rules as Rules
from fanin.recipes.assign import assign as assign
from fanin.recipes.companion import companion as companion
from fanin.recipes.plan import Plan as Plan
from fanin.recipes.plan import Row as Row
from fanin.recipes.slots import Role as Role
from fanin.recipes.slots import Slot as Slot
