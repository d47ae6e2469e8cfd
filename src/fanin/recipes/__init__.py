"""Which scheme for which parameter: slots, rules, recipes and the plan that results.

Plain data in, plain data out. A framework's room says what the parameters of a model are (slots),
a recipe decides (plan), and the draws make the numbers.
"""

from fanin.recipes.applied import Applied as Applied
from fanin.recipes.assign import assign as assign
from fanin.recipes.audit import Audit as Audit
from fanin.recipes.audit import Line as Line
from fanin.recipes.audit import State as State
from fanin.recipes.catalogue import as_recipe as as_recipe
from fanin.recipes.catalogue import recipe as recipe
from fanin.recipes.catalogue import recipe_names as recipe_names
from fanin.recipes.companion import companion as companion
from fanin.recipes.difference import Change as Change
from fanin.recipes.difference import PlanDiff as PlanDiff
from fanin.recipes.formulas import likeness as likeness
from fanin.recipes.held import Held as Held
from fanin.recipes.matching import Rules as Rules
from fanin.recipes.network import Network as Network
from fanin.recipes.network import Stream as Stream
from fanin.recipes.plan import Plan as Plan
from fanin.recipes.planning import plan as plan
from fanin.recipes.row import Row as Row
from fanin.recipes.rules import Recipe as Recipe
from fanin.recipes.rules import Rule as Rule
from fanin.recipes.slips import Mistake as Mistake
from fanin.recipes.slips import explaining as explaining
from fanin.recipes.slips import mistaken as mistaken
from fanin.recipes.slips import recognised as recognised
from fanin.recipes.slips import stored_fans as stored_fans
from fanin.recipes.slots import Role as Role
from fanin.recipes.slots import Slot as Slot
